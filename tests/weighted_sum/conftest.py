"""What the tests of the weights share: a small input, and what two small parsers made of it."""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import pytest
from allennlp.predictors import Predictor

from allennlp_gated.weighted_sum.output_folder import OutputFolder
from allennlp_gated.weighted_sum.run import (
    InputChoice,
    NamedModel,
    PictureChoice,
    WeightChoice,
    write_weights,
)
from tests.weighted_sum.tiny_models import (
    TREEBANK,
    parser_config,
    read_archive,
    write_archive,
)


class Weighed(NamedTuple):
    """A folder that two models were weighed into, and its lines."""

    folder: Path
    lines: List[Dict[str, Any]]
    compared: List[Dict[str, Any]]


def first_trees(count: int, path: Path) -> Path:
    trees = Path(TREEBANK).read_text(encoding="utf-8").split("\n\n")
    path.write_text("\n\n".join(trees[:count]) + "\n\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Weighed:
    """Three sentences by a bidirectional parser and, for comparison, a stock one."""
    folder = tmp_path_factory.mktemp("weighed")
    models = []
    for name, kind in (
        ("no_srnn", "stacked_bidirectional_lstm_no_srnn"),
        ("stock", "alternating_lstm"),
    ):
        archive = read_archive(write_archive(parser_config(kind), folder / name))
        archive.model.eval()
        models.append(NamedModel(name, Predictor(archive.model, archive.validation_dataset_reader)))
    path = first_trees(3, folder / "in.conllu")
    write_weights(
        models,
        InputChoice(str(path), use_dataset_reader=True, batch_size=2),
        WeightChoice(),
        PictureChoice(longest_figure=60),
        OutputFolder(folder / "out"),
    )
    lines, compared = (
        [json.loads(line) for line in (folder / "out" / name).read_text().splitlines()]
        for name in ("weights.jsonl", "weights.compare.jsonl")
    )
    return Weighed(folder / "out", lines, compared)
