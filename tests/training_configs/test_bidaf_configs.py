"""Every shipped question answering config takes a training step and answers."""

from pathlib import Path

import pytest

from allennlp_gated.recurrent_module import RecurrentModule

from .common import CONFIGS, ENCODERS, shipped, take_a_step


def test_there_is_a_config_for_each_encoder() -> None:
    assert sorted(shipped("bidaf")) == sorted(ENCODERS)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_takes_a_step_and_answers(encoder: str, tmp_path: Path) -> None:
    config = CONFIGS / f"bidaf_{encoder}.jsonnet"
    # A softmax over the passage or the question does not see what is added to all of it.
    unmoved = ["span_start_predictor._module.bias", "span_end_predictor._module.bias", "._bias"]
    run = take_a_step(config, tmp_path / "run", {"dataset_reader.max_instances": 2}, unmoved)
    metrics = run.model.get_metrics(reset=True)
    assert 0 <= metrics["em"] <= metrics["f1"] <= 1

    ablated = [module for module in run.model.modules() if isinstance(module, RecurrentModule)]
    # The phrase layer, the modeling layer and the span-end encoder.
    expected = [] if encoder == "stock" else [(encoder, 1), (encoder, 2), (encoder, 1)]
    assert [(module.ablation.key, module.num_layers) for module in ablated] == expected
