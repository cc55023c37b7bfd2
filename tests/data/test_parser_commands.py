"""`allennlp train`, `evaluate` and `predict` on a parser config cut small, from data to parses."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.commands import main

ROOT = Path(__file__).parents[2]
CONFIG = "training_configs/ud_parser_no_gates.jsonnet"
DEV = "fixtures/treebank/dev.conllu"
SMALL = {
    "train_data_path": DEV,
    "dataset_reader.max_instances": 20,
    "model.encoder.hidden_size": 20,
    "model.encoder.num_layers": 1,
    "trainer.num_epochs": 1,
}
PREDICTOR = ["--predictor", "biaffine_dependency_parser_blank"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run_command(*arguments: str) -> None:
        command = ["allennlp", *arguments, "--include-package", "allennlp_gated"]
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", command)
            patch.chdir(ROOT)
            main()

    return run_command


def predictions(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_trains_evaluates_and_predicts(run: Any, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    run("train", CONFIG, "-s", folder, "-o", json.dumps(SMALL))
    archive = folder + "/model.tar.gz"

    run("evaluate", archive, DEV, "--output-file", str(tmp_path / "metrics.json"))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    trained = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["UAS"] == pytest.approx(trained["best_validation_UAS"])
    assert metrics["LAS"] == pytest.approx(trained["best_validation_LAS"])

    sentences = tmp_path / "sentences.txt"
    sentences.write_text('The farmer sleeps.\n{"sentence": "Did Anna see the boat?"}\n')
    output = tmp_path / "parses.jsonl"
    tags = json.dumps({"tags_from": DEV})
    options = [*PREDICTOR, "--silent", "--output-file", str(output)]
    run("predict", archive, str(sentences), "--predictor-args", tags, *options)
    parses = predictions(output)
    assert parses[0]["words"] == ["The", "farmer", "sleeps", "."]
    assert parses[1]["pos"] == ["AUX", "PROPN", "VERB", "DET", "NOUN", "PUNCT"]

    run("predict", archive, DEV, "--use-dataset-reader", *options)
    assert len(predictions(output)) == SMALL["dataset_reader.max_instances"]
