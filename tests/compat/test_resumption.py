"""A run that is killed in the middle of an epoch and recovered."""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params

from tests.compat.kill_switch import KILL_AT
from tests.compat.parser import parser_config, scores

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config(treebanks: Tuple[Path, Path]) -> Dict[str, Any]:
    trainer = {
        "num_epochs": 4,
        "optimizer": {"type": "adam", "lr": 0.01},
        # Its rates are numpy scalars, and the optimizer's state holds them.
        "learning_rate_scheduler": {"type": "cosine", "t_initial": 4},
        "callbacks": [{"type": "tests.compat.kill_switch.KillSwitch"}],
    }
    config = parser_config(*treebanks, trainer)
    # Batches and dropout drawn at random: a recovered run must draw the same.
    config["data_loader"] = {"batch_sampler": {"type": "bucket", "batch_size": 4}}
    config["model"].update(dropout=0.3, input_dropout=0.3)
    config["model"]["encoder"]["recurrent_dropout_probability"] = 0.3
    return config


@pytest.fixture(scope="module")
def whole_run(
    config: Dict[str, Any], stock_plugins: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    train_model(Params(copy.deepcopy(config)), run)
    return run


def test_a_killed_run_recovers_to_the_numbers_of_one_that_was_not(
    config: Dict[str, Any], whole_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    run = tmp_path / "run"
    arguments = ["train", str(tmp_path / "config.json"), "-s", str(run)]
    arguments += ["--include-package", "allennlp_gated"]
    killed = subprocess.run(
        [sys.executable, "-m", "allennlp", *arguments],
        cwd=ROOT,
        env=dict(os.environ, **{KILL_AT: "2 3"}),
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert (run / "metrics_epoch_1.json").exists()
    assert not (run / "metrics_epoch_2.json").exists()
    before = (run / "metrics_epoch_1.json").stat().st_mtime_ns

    train_model(Params(copy.deepcopy(config)), run, recover=True)

    assert (run / "metrics_epoch_1.json").stat().st_mtime_ns == before  # it was not trained anew
    assert scores(run) == pytest.approx(scores(whole_run), rel=1e-5)
    recovered, whole = torch.load(run / "best.th"), torch.load(whole_run / "best.th")
    assert recovered.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(recovered[name], whole[name], rtol=1e-5, atol=1e-6)


def test_the_best_epoch_before_the_kill_keeps_its_weights(
    treebanks: Tuple[Path, Path], tmp_path: Path, stock_plugins: None
) -> None:
    # The fewer labels are right the better, so that the untrained first epoch stays the best.
    trainer = {"num_epochs": 3, "validation_metric": "-LAS", "optimizer": "adam"}
    trainer["checkpointer"] = {"keep_most_recent_by_count": 3}
    config = parser_config(*treebanks, trainer)
    config.update(test_data_path=config["train_data_path"], evaluate_on_test=True)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_model(Params(copy.deepcopy(config)), whole)
    assert scores(whole)["best_epoch"] == 0

    # What a run that is killed in its second epoch leaves behind.
    shutil.copytree(whole, killed)
    for file in [*killed.glob("*_state_e[23]_*"), killed / "metrics.json", killed / "model.tar.gz"]:
        file.unlink()
    train_model(Params(copy.deepcopy(config)), killed, recover=True)
    assert scores(killed) == pytest.approx(scores(whole), rel=1e-5)
