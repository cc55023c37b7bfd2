"""Every shipped translation config takes a training step and translates."""

import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.models import Model

from allennlp_gated.recurrent_module import RecurrentModule

from .common import CONFIGS, ENCODERS, shipped, take_a_step


def test_there_is_a_config_for_each_encoder() -> None:
    assert sorted(shipped("nmt")) == sorted(ENCODERS)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_takes_a_step_and_translates(encoder: str, tmp_path: Path) -> None:
    config = CONFIGS / f"nmt_{encoder}.jsonnet"
    short = {"dataset_reader.max_instances": 3, "model.decoder.beam_search.max_steps": 4}
    # A softmax over the source does not see what is added to all of it.
    run = take_a_step(config, tmp_path / "run", short, unmoved=["._bias"])
    assert 0 <= run.model.get_metrics(reset=True)["BLEU"] <= 1
    check_architecture(run.model, encoder)


def test_the_schedule_of_opennmt_halves_the_rate_from_the_eighth_epoch_on(tmp_path: Path) -> None:
    overrides = json.loads((CONFIGS / "overrides" / "nmt_opennmt.json").read_text())
    short = {"dataset_reader.max_instances": 3, "model.decoder.beam_search.max_steps": 1}
    config = CONFIGS / "nmt_no_gates.jsonnet"
    run = take_a_step(config, tmp_path / "run", {**overrides, **short}, unmoved=["._bias"])
    trainer: Any = run.trainer
    rates = []
    for _ in range(overrides["trainer.num_epochs"]):
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        trainer._learning_rate_scheduler.step()
    assert rates == pytest.approx([14.0] * 8 + [14.0 / 2**halved for halved in range(1, 6)])
    assert trainer._grad_norm * 14 == pytest.approx(5, abs=0.01)


def check_architecture(model: Model, encoder: str) -> None:
    """Two layers of 500 on either side; in the stock decoder, one."""
    ablated = [module for module in model.modules() if isinstance(module, RecurrentModule)]
    if encoder == "stock":
        assert not ablated
        return
    read, written = ablated
    assert read.ablation.key == written.ablation.key == encoder
    assert (read.num_layers, read.hidden_size, read.bidirectional) == (2, 250, True)
    assert (written.num_layers, written.hidden_size, written.bidirectional) == (2, 500, False)
