"""What is done with an archive: evaluating it, and starting another model from its weights."""

import copy
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.models.archival import load_archive

from tests.compat.parser import parser_config, scores


@pytest.fixture(scope="module")
def config(treebanks: Tuple[Path, Path]) -> Dict[str, Any]:
    return parser_config(*treebanks, {"num_epochs": 2, "optimizer": "adam"})


@pytest.fixture(scope="module")
def run(
    config: Dict[str, Any], stock_plugins: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    run = tmp_path_factory.mktemp("archives") / "run"
    train_model(Params(copy.deepcopy(config)), run)
    return run


def test_evaluate_gives_an_archive_the_scores_of_its_best_epoch(
    run: Path, treebanks: Tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "scores.json"
    evaluate_from_archive(run / "model.tar.gz", str(treebanks[1]), metrics_output_file=str(output))
    trained = scores(run)
    evaluated = scores(tmp_path, "scores.json")
    assert {"UAS", "LAS", "loss"} <= evaluated.keys()
    for name, value in evaluated.items():
        assert value == pytest.approx(trained["best_validation_" + name]), name


def test_weights_of_an_archive_initialise_another_model(
    config: Dict[str, Any], run: Path, tmp_path: Path
) -> None:
    pretrained = {"type": "pretrained", "weights_file_path": str(run / "best.th")}
    again = copy.deepcopy(config)
    again["model"]["initializer"] = {"regexes": [[".*", pretrained]]}
    again["trainer"].update(num_epochs=1, optimizer={"type": "sgd", "lr": 0.0})
    train_model(Params(again), tmp_path / "again")
    expected = load_archive(run / "model.tar.gz").model.state_dict()
    found = load_archive(tmp_path / "again" / "model.tar.gz").model.state_dict()
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)
