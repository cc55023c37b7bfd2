"""Whole runs with the stock trainer and commands."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Optional

import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive
from allennlp.training.callbacks import TrainerCallback

from tests.language_model.common import CONFIGS, new_loader, words, write_text
from tests.language_model.test_stream_language_model import hand_count, perplexity

TRAIN = ["a b <unk> c", "b b a", "", "c a b d a b c", "d c", "a c <unk> b d a"] * 4
VALID = ["b a e c", "c f b", "a b d", "a b a", "c"]


class Stopped(Exception):
    """What a run dies of here."""


@TrainerCallback.register("stop_after_batch")
class StopAfterBatch(TrainerCallback):
    """Stops training after a number of batches, once it has been told to."""

    left: Optional[int] = None

    def on_batch(self, *args: Any, is_training: bool = True, **kwargs: Any) -> None:
        if is_training and StopAfterBatch.left is not None:
            StopAfterBatch.left -= 1
            if StopAfterBatch.left < 0:
                raise Stopped


def config(folder: Path) -> Params:
    overrides: Dict[str, Any] = {
        "train_data_path": write_text(folder, TRAIN, "train.txt"),
        "validation_data_path": write_text(folder, VALID, "valid.txt"),
        "data_loader.batch_size": 3,
        "data_loader.steps": 5,
        "validation_data_loader.batch_size": 3,
        "validation_data_loader.steps": 5,
        "model.text_field_embedder.token_embedders.tokens.embedding_dim": 6,
        "model.contextualizer.input_size": 6,
        "model.contextualizer.hidden_size": 6,
        "trainer.num_epochs": 2,
        "trainer.cuda_device": -1,
        "trainer.checkpointer": {"save_every_num_batches": 1, "keep_most_recent_by_count": 2},
        "trainer.callbacks": ["stop_after_batch", "carried_state"],
    }
    params = Params.from_file(CONFIGS / "ptb_lm_small_full.jsonnet", json.dumps(overrides))
    # Even small differences in what is carried should show.
    params["model"]["initializer"]["regexes"] = [[".*", {"type": "uniform", "a": -1, "b": 1}]]
    return params


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs, beside its two texts."""
    folder = tmp_path_factory.mktemp("run")
    train_model(config(folder), str(folder / "run"))
    return folder


def validation_perplexity(run: Path) -> float:
    metrics = json.loads((run / "run" / "metrics.json").read_text())
    return metrics["best_validation_perplexity"]


def test_validation_perplexity_is_that_of_a_hand_count(run: Path) -> None:
    # A second pass comes after the first and before training: neither may leave a trace.
    model = load_archive(run / "run").model.double()
    expected = hand_count(model, model.vocab, [words(VALID)])
    assert validation_perplexity(run) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_evaluate_gives_the_perplexity_of_training_at_any_batch_size(
    run: Path, batch_size: Optional[int]
) -> None:
    metrics = evaluate_from_archive(str(run / "run"), str(run / "valid.txt"), batch_size=batch_size)
    assert metrics["perplexity"] == pytest.approx(validation_perplexity(run), rel=1e-5)


def test_training_leaves_no_trace_in_validation(run: Path) -> None:
    model = load_archive(run / "run").model.eval()
    sizes: Dict[str, Any] = {"vocab": model.vocab, "batch_size": 3, "steps": 5}
    train, _ = new_loader(str(run / "train.txt"), **sizes)
    valid, _ = new_loader(str(run / "valid.txt"), single_row=True, **sizes)
    of_valid, of_train = perplexity(model, valid), perplexity(model, train)
    assert perplexity(model, valid) == of_valid
    assert perplexity(model, train) == of_train


def test_the_callback_is_for_a_model_that_carries_a_state(run: Path) -> None:
    model = load_archive(run / "run").model
    trainer = SimpleNamespace(model=model)
    callback = TrainerCallback.from_params(Params({"type": "carried_state"}), serialization_dir="")
    callback.on_start(trainer)  # type: ignore[arg-type]
    trainer.model = model._softmax
    with pytest.raises(ConfigurationError, match=r"trainer\.callbacks: carried_state"):
        callback.on_start(trainer)  # type: ignore[arg-type]


# There are 8 batches an epoch: the run dies within the first, between both, within the second.
@pytest.mark.parametrize("batches", [3, 8, 10])
def test_recovery_is_exact(run: Path, tmp_path: Path, batches: int) -> None:
    StopAfterBatch.left = batches
    try:
        with pytest.raises(Stopped):
            train_model(config(tmp_path), str(tmp_path / "run"))
    finally:
        StopAfterBatch.left = None
    train_model(config(tmp_path), str(tmp_path / "run"), recover=True)
    expected = torch.load(run / "run" / "best.th")
    recovered = torch.load(tmp_path / "run" / "best.th")
    assert expected.keys() == recovered.keys()
    for name, value in expected.items():
        assert torch.equal(value, recovered[name]), name
