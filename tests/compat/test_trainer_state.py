"""A run that is killed in the middle of an epoch and recovered, and what a checkpoint may hold."""

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy
import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.models.archival import load_archive

import allennlp_gated
from allennlp_gated.compat.trainer_state import SCALARS
from tests.compat.kill_switch import KILL_AT
from tests.compat.parser import parser_config

assert allennlp_gated  # importing it is what mends

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
    # Batches drawn at random: a recovered run must draw the same.
    config["data_loader"] = {"batch_sampler": {"type": "bucket", "batch_size": 4}}
    return config


@pytest.fixture(scope="module")
def whole_run(
    config: Dict[str, Any], stock_plugins: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    train_model(Params(json.loads(json.dumps(config))), run)
    return run


def scores(run: Path, file: str = "metrics.json") -> Dict[str, float]:
    """What a run reports, without what it took in time and memory."""
    metrics = json.loads((run / file).read_text())
    return {
        name: value
        for name, value in metrics.items()
        if not name.endswith("_MB") and "duration" not in name
    }


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

    train_model(Params(json.loads(json.dumps(config))), run, recover=True)

    assert (run / "metrics_epoch_1.json").stat().st_mtime_ns == before  # it was not trained anew
    assert scores(run) == pytest.approx(scores(whole_run), rel=1e-5)
    recovered, whole = torch.load(run / "best.th"), torch.load(whole_run / "best.th")
    assert recovered.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(recovered[name], whole[name], rtol=1e-5, atol=1e-6)


def test_evaluate_gives_an_archive_the_scores_of_its_best_epoch(
    whole_run: Path, treebanks: Tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "scores.json"
    evaluate_from_archive(whole_run / "model.tar.gz", str(treebanks[1]), metrics_output_file=str(output))
    trained = scores(whole_run)
    evaluated = scores(tmp_path, "scores.json")
    assert {"UAS", "LAS", "loss"} <= evaluated.keys()
    for name, value in evaluated.items():
        assert value == pytest.approx(trained["best_validation_" + name]), name


def test_weights_of_an_archive_initialise_another_model(
    config: Dict[str, Any], whole_run: Path, tmp_path: Path
) -> None:
    pretrained = {"type": "pretrained", "weights_file_path": str(whole_run / "best.th")}
    again = json.loads(json.dumps(config))
    again["model"]["initializer"] = {"regexes": [[".*", pretrained]]}
    again["trainer"].update(num_epochs=1, optimizer={"type": "sgd", "lr": 0.0})
    del again["trainer"]["learning_rate_scheduler"]
    train_model(Params(again), tmp_path / "run")
    expected = load_archive(whole_run / "model.tar.gz").model.state_dict()
    found = load_archive(tmp_path / "run" / "model.tar.gz").model.state_dict()
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)


def saved(value: Any) -> io.BytesIO:
    file = io.BytesIO()
    torch.save({"state": value}, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", SCALARS)
def test_a_numpy_scalar_is_loaded(kind: type) -> None:
    value = torch.load(saved(kind(1)))["state"]
    assert value == 1
    assert type(value) is kind


def test_a_numpy_scalar_that_numpy_1_wrote_is_loaded() -> None:
    # Numpy 2 moved the function that a pickled scalar names: write its old name into the file.
    old = io.BytesIO()
    with zipfile.ZipFile(saved(numpy.float64(0.5))) as new, zipfile.ZipFile(old, "w") as rewritten:
        for entry in new.infolist():
            content = new.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
                assert b"numpy.core.multiarray" in content
            rewritten.writestr(entry.filename, content)
    old.seek(0)
    assert torch.load(old)["state"] == 0.5


class NotData:
    """A class that a checkpoint has no business to hold."""


@pytest.mark.skipif(torch.__version__ < (2, 6), reason="PyTorch loads anything before 2.6")
def test_the_check_stays_on_for_everything_else() -> None:
    with pytest.raises(pickle.UnpicklingError, match="NotData"):
        torch.load(saved(NotData()))
