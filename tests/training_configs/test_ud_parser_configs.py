"""Every shipped parser config takes a training step and parses."""

import json
import re
from pathlib import Path

import pytest
from allennlp.common import Params

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrent_module import RecurrentModule

from .common import CONFIGS, ENCODERS, shipped, take_a_step


def test_there_is_a_config_for_each_encoder() -> None:
    assert sorted(shipped("ud_parser")) == sorted(ENCODERS)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_takes_a_step_and_parses(encoder: str, tmp_path: Path) -> None:
    config = CONFIGS / f"ud_parser_{encoder}.jsonnet"
    # A softmax over the heads does not see what is added to all of them.
    unmoved = ["arc_attention._bias"]
    run = take_a_step(config, tmp_path / "run", {"dataset_reader.max_instances": 2}, unmoved)
    metrics = run.model.get_metrics(reset=True)
    assert 0 <= metrics["LAS"] <= metrics["UAS"] <= 1

    (module,) = run.model.encoder.children()
    assert (module.input_size, module.hidden_size, module.num_layers) == (200, 400, 3)
    if encoder == "stock":
        assert not isinstance(module, RecurrentModule)
    else:
        assert (module.ablation.key, module.bidirectional) == (encoder, True)


def documented_overrides() -> str:
    """The first overrides that the library's comment gives."""
    text = (CONFIGS / "lib" / "ud_parser.libsonnet").read_text(encoding="utf-8")
    comment = re.sub(r"\n// *", " ", text)
    found = re.search(r"-o '(\{.*?\})'", comment)
    assert found is not None
    return found.group(1)


def test_the_documented_overrides_give_the_stock_schedule() -> None:
    config = Params.from_file(CONFIGS / "ud_parser_stock.jsonnet", documented_overrides()).as_dict()
    assert (config["train_data_path"], config["validation_data_path"]) == ("<train>", "<dev>")
    assert config["data_loader"] == {"batch_sampler": {"type": "bucket", "batch_size": 128}}
    assert config["trainer"] == {
        "num_epochs": 50,
        "patience": 50,
        "grad_norm": 5.0,
        "validation_metric": "+LAS",
        "optimizer": {"type": "dense_sparse_adam", "betas": [0.9, 0.9]},
    }


def test_word_vectors_are_an_override(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the " + " ".join(["0.5"] * 100) + "\n", encoding="utf-8")
    option = "model.text_field_embedder.token_embedders.tokens.pretrained_file"
    overrides = {"dataset_reader.max_instances": 2, option: str(vectors)}
    config = CONFIGS / "ud_parser_no_gates.jsonnet"
    assert option in (CONFIGS / "lib" / "ud_parser.libsonnet").read_text(encoding="utf-8")
    # The step moves each weight by no more than the learning rate, 0.001.
    run = take_a_step(config, tmp_path / "run", overrides, ["arc_attention._bias"])
    index = run.model.vocab.get_token_index("the")
    embedding = run.model.text_field_embedder.token_embedder_tokens.weight[index]
    assert embedding.sub(0.5).abs().max() < 0.01


def test_configs_differ_in_their_encoder_alone() -> None:
    configs = [Params.from_file(path).as_dict() for path in shipped("ud_parser").values()]
    encoders = [config["model"]["encoder"] for config in configs]
    assert not any(encoder["use_highway"] for encoder in encoders)
    types = {encoder.pop("type") for encoder in encoders}
    assert len({json.dumps(config, sort_keys=True) for config in configs}) == 1
    stock = "stacked_bidirectional_lstm"
    assert types == {stock, *(f"{stock}_{key}" for key in ABLATIONS)}
