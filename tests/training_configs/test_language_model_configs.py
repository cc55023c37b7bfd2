"""Every shipped language model takes a training step: its data cut, its sizes not."""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from allennlp.commands.train import TrainModel
from allennlp.common import Params

from .common import CONFIGS, ENCODERS, ROOT, take_a_step

PTB_SIZES = ["small", "medium", "large"]

TEXT = "a bird sings\nno bird ever <unk> here at all\n\na cat sees\n"


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


def load(name: str, overrides: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    params = Params.from_file(CONFIGS / f"{name}.jsonnet", json.dumps(overrides or {}))
    return params.as_dict(quiet=True)


def shipped(*prefixes: str) -> List[str]:
    return sorted(path.stem for path in CONFIGS.glob("*.jsonnet") if path.stem.startswith(prefixes))


def test_there_is_a_config_for_each_encoder() -> None:
    families = ["lm", "lm_bidirectional", "bwb_lm", *(f"ptb_lm_{size}" for size in PTB_SIZES)]
    expected = sorted(f"{family}_{encoder}" for family in families for encoder in ENCODERS)
    assert shipped("lm_", "bwb_lm_", "ptb_lm_") == expected


@pytest.mark.parametrize("name", shipped("ptb_lm_"))
def test_ptb_lm_takes_a_step(name: str, text: str, tmp_path: Path) -> None:
    # 15 words, 5 rows: the stream is shorter, and so are the rows' pieces.
    sizes = {"batch_size": 5, "steps": 3}
    overrides: Dict[str, Any] = {"train_data_path": text, "validation_data_path": text}
    for loader in ("data_loader", "validation_data_loader"):
        overrides.update({f"{loader}.{size}": value for size, value in sizes.items()})
    run = take_a_step(CONFIGS / f"{name}.jsonnet", tmp_path / "run", overrides)
    # The words of the text, <unk> and <eos>: nothing else takes part in the softmax.
    assert run.model.vocab.get_vocab_size("tokens") == len({*TEXT.split(), "<eos>"})


@pytest.mark.parametrize("name", shipped("lm_"))
def test_lm_takes_a_step(name: str, text: str, tmp_path: Path) -> None:
    overrides = {
        "train_data_path": text,
        "validation_data_path": text,
        "data_loader.batch_sampler.batch_size": 2,
    }
    take_a_step(CONFIGS / f"{name}.jsonnet", tmp_path / "run", overrides)


@pytest.mark.parametrize("name", shipped("bwb_lm_"))
def test_bwb_lm_takes_a_step(name: str, text: str, tmp_path: Path) -> None:
    overrides = {
        "train_data_path": text + "*",  # a glob: the reader is of shards
        "validation_data_path": text + "*",
        "data_loader.batch_sampler.batch_size": 2,
        "model.num_samples": 8,
    }
    run = take_a_step(CONFIGS / f"{name}.jsonnet", tmp_path / "run", overrides)
    contextualizer: Any = run.model._contextualizer
    assert contextualizer.get_output_dim() == 512


@pytest.mark.parametrize("name", shipped("lm_", "bwb_lm_", "ptb_lm_"))
def test_default_data_are_fixtures(name: str) -> None:
    config = load(name)
    for part in ("train", "validation"):
        pattern = config[f"{part}_data_path"]
        assert pattern.startswith("fixtures/lm/")
        assert list(ROOT.glob(pattern)), pattern


# Section 4.1 of Zaremba et al. 2014; "small" is their published code's.
PAPER: Dict[str, Dict[str, Any]] = {
    "small": {"steps": 20, "size": 200, "dropout": 0.0, "bound": 0.1, "norm": 5},
    "medium": {"steps": 35, "size": 650, "dropout": 0.5, "bound": 0.05, "norm": 5},
    "large": {"steps": 35, "size": 1500, "dropout": 0.65, "bound": 0.04, "norm": 10},
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("size", PTB_SIZES)
def test_hyperparameters_are_the_papers(size: str, encoder: str) -> None:
    config, paper = load(f"ptb_lm_{size}_{encoder}"), PAPER[size]
    assert config["data_loader"] == {
        "type": "token_stream",
        "batch_size": 20,
        "steps": paper["steps"],
    }
    assert config["validation_data_loader"]["single_row"] is True
    model, trainer = config["model"], config["trainer"]
    assert model["contextualizer"] == {
        "type": "lstm" if encoder == "stock" else f"lstm_{encoder}",
        "input_size": paper["size"],
        "hidden_size": paper["size"],
        "num_layers": 2,
        "dropout": paper["dropout"],
        "stateful": True,
    }
    assert model["dropout"] == paper["dropout"]
    assert (
        model["text_field_embedder"]["token_embedders"]["tokens"]["embedding_dim"]
        == (paper["size"])
    )
    initializer = {"type": "uniform", "a": -paper["bound"], "b": paper["bound"]}
    assert model["initializer"]["regexes"] == [[".*", initializer]]
    assert trainer["grad_norm"] == paper["norm"]
    assert trainer["optimizer"] == {"type": "sgd", "lr": 1.0}


@pytest.mark.parametrize(
    ("size", "first_epochs", "epochs", "decay"),
    [("small", 4, 13, 0.5), ("medium", 6, 39, 1 / 1.2), ("large", 14, 55, 1 / 1.15)],
)
def test_learning_rate_decays_as_in_the_paper(
    size: str, first_epochs: int, epochs: int, decay: float, text: str, tmp_path: Path
) -> None:
    overrides: Dict[str, Any] = {
        "train_data_path": text,
        "validation_data_path": text,
        "trainer.num_epochs": epochs,
        "data_loader.steps": 1,
        "data_loader.batch_size": 1,
        "validation_data_loader.steps": 1,
        "validation_data_loader.batch_size": 1,
        "model.text_field_embedder.token_embedders.tokens.embedding_dim": 2,
        "model.contextualizer.input_size": 2,
        "model.contextualizer.hidden_size": 2,
    }
    config = load(f"ptb_lm_{size}_full", overrides)
    config["trainer"]["cuda_device"] = -1
    run = TrainModel.from_params(Params(config), serialization_dir=str(tmp_path), local_rank=0)
    trainer: Any = run.trainer
    rates = []
    for _ in range(epochs):
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        trainer.optimizer.step()
        trainer._learning_rate_scheduler.step()
    expected = [1.0] * first_epochs
    expected += [decay**power for power in range(1, epochs - first_epochs + 1)]
    assert rates == pytest.approx(expected)
