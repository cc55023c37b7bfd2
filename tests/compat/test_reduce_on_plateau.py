"""The scheduler `reduce_on_plateau`, by training with it."""

import logging
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler

import allennlp_gated
from tests.compat.parser import parser_config

assert allennlp_gated  # importing it is what mends


def build(**settings: Any) -> LearningRateScheduler:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    params = Params(dict(settings, type="reduce_on_plateau"))
    return LearningRateScheduler.from_params(params, optimizer=optimizer)


@pytest.mark.usefixtures("stock_plugins")
def test_training_lowers_the_rate_on_a_plateau(
    tmp_path: Path, treebanks: Tuple[Path, Path]
) -> None:
    # No score can rise by 10, so each epoch after the first is one of a plateau.
    scheduler: Dict[str, Any] = {"type": "reduce_on_plateau", "mode": "max", "factor": 0.5}
    scheduler.update(patience=0, threshold=10, threshold_mode="abs")
    trainer = {
        "num_epochs": 3,
        "optimizer": {"type": "sgd", "lr": 0.1},
        "learning_rate_scheduler": scheduler,
        "checkpointer": {"keep_most_recent_by_count": 1},
    }
    train_model(Params(parser_config(*treebanks, trainer)), tmp_path / "run")

    (state_file,) = (tmp_path / "run").glob("training_state_e3*.th")
    state = torch.load(state_file)
    assert state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.1 * 0.5 * 0.5)


def test_every_setting_but_verbose_reaches_pytorch() -> None:
    settings = {"mode": "max", "factor": 0.2, "patience": 5, "threshold": 0.005}
    settings.update(threshold_mode="abs", cooldown=2, eps=1e-10)
    scheduler = build(min_lr=0.25, **settings).lr_scheduler
    assert {name: getattr(scheduler, name) for name in settings} == settings
    assert scheduler.min_lrs == [0.25]


def test_an_unknown_setting_is_still_refused() -> None:
    with pytest.raises(ConfigurationError, match="patients"):
        build(patients=5)


def test_verbose_is_taken_and_said_to_do_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "allennlp_gated.compat.reduce_on_plateau"):
        scheduler = build(verbose=True, patience=3).lr_scheduler
    assert scheduler.patience == 3
    # A PyTorch that still has the argument gets it.
    assert ("verbose" in caplog.text) != hasattr(scheduler, "verbose")
