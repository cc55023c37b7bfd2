"""A bidirectional language model must not see the words that it predicts."""

import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data import DatasetReader, Vocabulary
from allennlp.data.batch import Batch
from allennlp.models import load_archive
from allennlp.modules.seq2seq_encoders.seq2seq_encoder import Seq2SeqEncoder
from allennlp.modules.token_embedders import TokenEmbedder

from allennlp_gated.ablation import ABLATIONS
from tests.language_model.common import CONFIGS, write_text

KEYS = list(ABLATIONS)
SIZE = 4
LENGTHS = [6, 1, 4]


def leaks(encoder: Seq2SeqEncoder, size: int = SIZE) -> List[Tuple[int, int, str]]:
    """
    Every (row, step, direction) at which a prediction depends on the embedding of the word that
    is to be predicted: the next one for the outputs' first half, the one before for the second.
    """
    mask = torch.arange(max(LENGTHS)).unsqueeze(0) < torch.tensor(LENGTHS).unsqueeze(1)
    inputs = torch.randn(*mask.shape, size, dtype=torch.float64, requires_grad=True)
    forward, backward = encoder.double()(inputs, mask).chunk(2, -1)
    found = []
    for row, length in enumerate(LENGTHS):
        for step in range(length):
            for direction, outputs, allowed in (
                ("forward", forward, slice(0, step + 1)),
                ("backward", backward, slice(step, length)),
            ):
                (gradient,) = torch.autograd.grad(
                    outputs[row, step].sum(), inputs, retain_graph=True
                )
                # What it may see it does see, or else nothing here could ever leak.
                assert (gradient[row, allowed] != 0).any(-1).all()
                gradient[row, allowed] = 0
                if gradient.any():
                    found.append((row, step, direction))
    return found


def encoder_of(params: Dict[str, Any]) -> Seq2SeqEncoder:
    return Seq2SeqEncoder.from_params(
        Params({"input_size": SIZE, "hidden_size": SIZE, **params})
    ).eval()


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("key", KEYS)
def test_no_prediction_depends_on_what_it_predicts(key: str, num_layers: int) -> None:
    encoder = encoder_of({"type": f"independent_lstm_{key}", "num_layers": num_layers})
    assert encoder.is_bidirectional() is True
    assert leaks(encoder) == []


@pytest.mark.parametrize("encoder", ["lstm", *(f"lstm_{key}" for key in KEYS)])
def test_a_stock_stack_of_two_layers_does_leak(encoder: str) -> None:
    params = {"type": encoder, "bidirectional": True}
    assert leaks(encoder_of({**params, "num_layers": 1})) == []
    found = leaks(encoder_of({**params, "num_layers": 2}))
    # Wherever there is a word to be predicted.
    assert len(found) == sum(2 * (length - 1) for length in LENGTHS)


@pytest.mark.parametrize("key", [*KEYS, "stock"])
def test_no_prediction_of_a_shipped_config_depends_on_what_it_predicts(key: str) -> None:
    params = Params.from_file(CONFIGS / f"lm_bidirectional_{key}.jsonnet")
    assert params["model"]["bidirectional"] is True
    contextualizer = params["model"]["contextualizer"]
    size = contextualizer["input_size"]
    assert contextualizer["hidden_size"] == size
    contextualizer["input_size"] = contextualizer["hidden_size"] = SIZE
    assert leaks(Seq2SeqEncoder.from_params(contextualizer).eval()) == []


@pytest.mark.parametrize("key", ["full", "no_gates"])
def test_the_stock_token_embedders_mix_its_layers(tmp_path: Path, key: str) -> None:
    text = write_text(tmp_path, ["a bird sings", "no bird sings here", "here", "a cat"] * 4)
    size = 8
    overrides = {
        "train_data_path": text,
        "validation_data_path": text,
        "trainer": {"num_epochs": 1, "cuda_device": -1, "optimizer": "adam"},
        "model.contextualizer.input_size": size,
        "model.contextualizer.hidden_size": size,
        "model.text_field_embedder.token_embedders.token_characters.encoder.projection_dim": size,
    }
    config = CONFIGS / f"lm_bidirectional_{key}.jsonnet"
    train_model(Params.from_file(config, json.dumps(overrides)), str(tmp_path / "run"))
    archive = tmp_path / "run" / "model.tar.gz"

    reader = DatasetReader.from_params(
        Params.from_file(config, json.dumps(overrides)).pop("dataset_reader")
    )
    batch = Batch(list(reader.read(text))[:4])
    batch.index_instances(Vocabulary())
    tensors: Dict[str, Any] = batch.as_tensor_dict()
    characters = tensors["source"]["token_characters"]["elmo_tokens"]

    model = load_archive(archive).model.eval()
    source = {"token_characters": {"elmo_tokens": characters}}
    with torch.no_grad():
        top_layer = model(source)["lm_embeddings"]
    assert top_layer.shape == (4, 6, 2 * size)

    for name in ("bidirectional_lm_token_embedder", "language_model_token_embedder"):
        params = {"type": name, "archive_file": str(archive), "bos_eos_tokens": None}
        embedder: Any = TokenEmbedder.from_params(
            Params({**params, "remove_bos_eos": False})
        ).eval()
        assert embedder.get_output_dim() == 2 * size
        mix = embedder._scalar_mix
        assert len(mix.scalar_parameters) == 3  # the embeddings, and two layers
        with torch.no_grad():
            # All weight on the top layer gives what the language model itself computes.
            for layer, parameter in enumerate(mix.scalar_parameters):
                parameter.fill_(0.0 if layer == 2 else -1e9)
            assert torch.allclose(embedder(characters), top_layer, atol=1e-6)

        # With boundaries put around sentences by the embedder, and taken off again.
        wrapped = TokenEmbedder.from_params(Params({"type": name, "archive_file": str(archive)}))
        assert wrapped(characters).shape == (4, 6, 2 * size)
        assert wrapped(characters).requires_grad  # the mix is trainable
