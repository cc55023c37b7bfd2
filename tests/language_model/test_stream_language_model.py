import math
from pathlib import Path
from typing import Any, List, Tuple

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.training.metrics import Metric

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.language_model import TokenPerplexity
from tests.language_model.common import new_loader, words, write_text

SIZE = 5
ENCODERS = ["lstm", *(f"lstm_{key}" for key in ABLATIONS)]
TEXT = ["a b <unk> c", "b b a", "", "c a b d a b c", "d c", "a c <unk> b d a"]


def new_model(
    vocab: Vocabulary, encoder: str = "lstm_full", seed: int = 0, **overrides: Any
) -> Any:
    torch.manual_seed(seed)
    params = {
        "type": "stream_language_model",
        "text_field_embedder": {
            "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": SIZE}}
        },
        "contextualizer": {
            "type": encoder,
            "input_size": SIZE,
            "hidden_size": SIZE,
            "num_layers": 2,
            "stateful": True,
            **overrides.pop("contextualizer", {}),
        },
        # Large enough for the state to matter.
        "initializer": {"regexes": [[".*", {"type": "uniform", "a": -1.5, "b": 1.5}]]},
        **overrides,
    }
    return Model.from_params(Params(params), vocab=vocab).double()


def hand_count(model: Any, vocab: Vocabulary, pieces: List[List[str]]) -> float:
    """
    The perplexity of pieces of a stream, each read in one go from a state of zeros: every
    prediction's probability by itself, from the model's weights.
    """
    embedding = model._text_field_embedder.token_embedder_tokens.weight
    module = model._contextualizer._module
    lstm = module if isinstance(module, torch.nn.LSTM) else module.to_torch()
    softmax = model._softmax
    log_likelihood, count, before = 0.0, 0, "<eos>"
    for piece in pieces:
        state = None
        for word in piece:
            inputs = embedding[vocab.get_token_index(before)].view(1, 1, -1)
            hidden, state = lstm(inputs, state)
            scores = (softmax.weight @ hidden.view(-1) + softmax.bias).tolist()
            probability = math.exp(scores[vocab.get_token_index(word)])
            log_likelihood += math.log(probability / sum(map(math.exp, scores)))
            count += 1
            before = word
    return math.exp(-log_likelihood / count)


def perplexity(model: Any, batches: Any) -> float:
    with torch.no_grad():
        for batch in batches:
            model(**batch)
    return model.get_metrics(reset=True)["perplexity"]


def split(stream: List[str], rows: int) -> List[List[str]]:
    pieces, rest = [], list(stream)
    for row in range(rows):
        length = math.ceil(len(rest) / (rows - row))
        pieces.append(rest[:length])
        rest = rest[length:]
    return pieces


@pytest.mark.parametrize("encoder", ["lstm", "lstm_full", "lstm_no_gates"])
@pytest.mark.parametrize(("batch_size", "steps"), [(1, 1), (1, 28), (3, 4), (4, 3), (5, 5)])
def test_perplexity_is_that_of_a_hand_count(
    tmp_path: Path, encoder: str, batch_size: int, steps: int
) -> None:
    path = write_text(tmp_path, TEXT)
    stream = words(TEXT)
    assert len(stream) == 28
    loader, vocab = new_loader(path, batch_size=batch_size, steps=steps)
    model = new_model(vocab, encoder).eval()
    expected = hand_count(model, vocab, split(stream, batch_size))
    assert perplexity(model, loader) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_perplexity_of_a_single_row_depends_on_no_batch_size(tmp_path: Path, encoder: str) -> None:
    path = write_text(tmp_path, TEXT)
    loader, vocab = new_loader(path, batch_size=1, steps=28)
    model = new_model(vocab, encoder).eval()
    expected = perplexity(model, loader)
    for batch_size, steps in [(1, 1), (2, 3), (5, 1), (4, 7), (3, 9)]:
        loader, _ = new_loader(path, batch_size=batch_size, steps=steps, single_row=True)
        assert perplexity(model, loader) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_state_is_carried_from_batch_to_batch_and_then_forgotten(
    tmp_path: Path, encoder: str
) -> None:
    path = write_text(tmp_path, TEXT)
    loader, vocab = new_loader(path, batch_size=2, steps=14)
    (long_batch,) = loader
    model = new_model(vocab, encoder).eval()
    whole = model(**long_batch)["loss"].item()
    for _ in range(2):  # an epoch starts like the one before
        loader, _ = new_loader(path, batch_size=2, steps=4)
        parts = [model(**batch)["loss"].item() for batch in loader]
        assert sum(parts) == pytest.approx(whole, rel=1e-9)
    forgetful = [model(**{**batch, "starts_stream": True})["loss"].item() for batch in loader]
    assert sum(forgetful) != pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_back_propagation_ends_where_the_batch_begins(tmp_path: Path, encoder: str) -> None:
    loader, vocab = new_loader(write_text(tmp_path, TEXT), batch_size=2, steps=7)
    first, second = loader
    model = new_model(vocab, encoder)
    model(**first)["loss"].backward()
    model.zero_grad()
    model(**second)["loss"].backward()
    gradient = model._text_field_embedder.token_embedder_tokens.weight.grad
    seen = set(second["source"]["tokens"]["tokens"].flatten().tolist())
    for index in range(vocab.get_vocab_size()):
        assert bool(gradient[index].any()) == (index in seen)


def test_loss_is_summed_over_steps_and_averaged_over_rows(tmp_path: Path) -> None:
    loader, vocab = new_loader(write_text(tmp_path, TEXT), batch_size=3, steps=4)
    model = new_model(vocab).eval()
    for batch in loader:
        loss = model(**batch)["loss"].item()
        count = int(batch["mask"].sum())
        per_word = math.log(model.get_metrics(reset=True)["perplexity"])
        assert loss == pytest.approx(per_word * count / 3, rel=1e-9)
    assert count < 3 * (28 % 3 + 1)  # the last batch is ragged


def test_dropout_falls_on_non_recurrent_connections_only(tmp_path: Path) -> None:
    loader, vocab = new_loader(write_text(tmp_path, TEXT * 20), batch_size=4, steps=20)
    model = new_model(vocab, dropout=0.5, contextualizer={"dropout": 0.5}).train()
    seen = {}

    def keep(name: str, tensor: torch.Tensor) -> None:
        seen[name] = tensor.detach()

    module = model._contextualizer._module
    handles = [
        model._contextualizer.register_forward_pre_hook(lambda _, args: keep("input", args[0])),
        model._softmax.register_forward_pre_hook(lambda _, args: keep("top", args[0])),
        module.add_observer(lambda call: keep(f"below {call.layer}", call.inputs)),
        module.add_observer(lambda call: keep(f"above {call.layer}", call.outputs)),
    ]
    model(**next(iter(loader)))
    for handle in handles:
        handle.remove()

    def zeros(name: str) -> float:
        return (seen[name] == 0).double().mean().item()

    for name in ("input", "below 0", "below 1", "top"):
        assert 0.35 < zeros(name) < 0.65, name
    # What recurs is whole: hidden states as the next step sees them.
    for name in ("above 0", "above 1"):
        assert zeros(name) == 0, name
    # A layer's own outputs are scaled by 1 / (1 - 0.5) where they are not dropped.
    kept = seen["top"] != 0
    above = seen["above 1"].transpose(0, 1)
    assert torch.allclose(seen["top"][kept], 2 * above[kept])


def test_every_parameter_gets_a_gradient(tmp_path: Path) -> None:
    loader, vocab = new_loader(write_text(tmp_path, TEXT), batch_size=2, steps=7)
    for encoder in ENCODERS:
        model = new_model(vocab, encoder)
        for batch in loader:
            model(**batch)["loss"].backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, (encoder, name)
            assert parameter.grad.any(), (encoder, name)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"contextualizer": {"stateful": False}}, r"contextualizer\.stateful: must be true"),
        ({"contextualizer": {"bidirectional": True}}, r"contextualizer\.bidirectional: "),
        ({"dropout": 1.0}, "dropout: "),
        ({"dropout": -0.1}, "dropout: "),
    ],
)
def test_what_is_not_allowed_is_an_error(tmp_path: Path, overrides: Any, message: str) -> None:
    _, vocab = new_loader(write_text(tmp_path, TEXT), batch_size=2, steps=7)
    with pytest.raises(ConfigurationError, match=message):
        new_model(vocab, **overrides)


class TestTokenPerplexity:
    @staticmethod
    def of(*batches: Tuple[float, int]) -> float:
        metric = Metric.from_params(Params({"type": "token_perplexity"}))
        assert isinstance(metric, TokenPerplexity)
        for loss_sum, count in batches:
            metric(torch.tensor(loss_sum), count)
        value = metric.get_metric(reset=True)
        assert metric.get_metric() == 0.0
        return value

    def test_weighs_predictions_alike(self) -> None:
        assert self.of((math.log(2) * 3, 3), (math.log(8) * 1, 1)) == pytest.approx(2**1.5)

    def test_is_infinite_beyond_floats(self) -> None:
        assert self.of((1e6, 1)) == math.inf
