"""The scores of the parser's labels, beside `torch.nn.Bilinear` in float64."""

import copy
from pathlib import Path
from typing import Any, Tuple

import pytest
import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_gated.compat.tag_scores import TagBilinear
from tests.compat.parser import parser_config


def both(heads: int, children: int, labels: int, bias: bool = True) -> Tuple[Any, Any]:
    stock = torch.nn.Bilinear(heads, children, labels, bias=bias).double()
    ours = copy.deepcopy(stock)
    ours.__class__ = TagBilinear
    return stock, ours


def assert_same(stock: Any, ours: Any, heads: torch.Tensor, children: torch.Tensor) -> None:
    """In outputs, in the gradients of both inputs and of the parameters."""
    results = []
    for module in (stock, ours):
        inputs = [heads.clone().requires_grad_(), children.clone().requires_grad_()]
        scores = module(*inputs)
        wanted = [*inputs, *module.parameters()]
        results.append((scores, torch.autograd.grad((scores * scores.cos()).sum(), wanted)))
    (expected, expected_gradients), (scores, gradients) = results
    assert scores.shape == expected.shape
    torch.testing.assert_close(scores, expected, rtol=1e-12, atol=1e-12)
    for mine, theirs in zip(gradients, expected_gradients):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


@given(
    rows=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    sizes=st.tuples(*[st.integers(1, 6)] * 3),
    bias=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_it_is_torch_s_bilinear_in_any_shape(rows: Any, sizes: Any, bias: bool) -> None:
    stock, ours = both(*sizes, bias=bias)
    heads = torch.randn(*rows, sizes[0], dtype=torch.float64)
    children = torch.randn(*rows, sizes[1], dtype=torch.float64)
    assert_same(stock, ours, heads, children)


def pairs(batch_size: int, words: int) -> Tuple[torch.Tensor, torch.Tensor]:
    """All pairs of words, written out as the parser does."""
    heads = torch.randn(batch_size, words, 5, dtype=torch.float64)
    children = torch.randn(batch_size, words, 3, dtype=torch.float64)
    shape = (batch_size, words, words, -1)
    return (
        heads.unsqueeze(2).expand(*shape).contiguous(),
        children.unsqueeze(1).expand(*shape).contiguous(),
    )


@pytest.mark.parametrize("words", [1, 2, 7])
def test_all_pairs_are_what_the_written_out_pairs_are(
    words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock, ours = both(5, 3, 4)
    heads, children = pairs(2, words)
    called = []
    all_pairs = ours.all_pairs
    monkeypatch.setattr(ours, "all_pairs", lambda *given: called.append(0) or all_pairs(*given))
    with torch.no_grad():
        torch.testing.assert_close(ours(heads, children), stock(heads, children))
    assert called


def test_pairs_that_need_gradients_each_get_their_own() -> None:
    assert_same(*both(5, 3, 4), *pairs(2, 3))


@pytest.mark.parametrize("changed", ["heads", "children"])
def test_four_dimensions_that_are_no_pairs_are_not_taken_for_pairs(changed: str) -> None:
    stock, ours = both(5, 3, 4)
    heads, children = pairs(2, 6)
    (heads if changed == "heads" else children)[1, 3, 4, 2] += 1
    with torch.no_grad():
        torch.testing.assert_close(ours(heads, children), stock(heads, children))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 2, 2), (2, 0, 0)])
def test_empty_inputs_give_empty_scores(shape: Tuple[int, ...]) -> None:
    _, ours = both(5, 3, 4)
    heads, children = (torch.ones(*shape, size, dtype=torch.float64) for size in (5, 3))
    assert ours(heads, children).shape == (*shape, 4)


@pytest.mark.usefixtures("stock_plugins")
def test_the_parser_has_it_and_scores_as_before(
    tmp_path: Path, treebanks: Tuple[Path, Path]
) -> None:
    config = Params(parser_config(*treebanks, {"num_epochs": 1, "optimizer": "adam"}))
    job: Any = TrainModel.from_params(params=config, serialization_dir=str(tmp_path), local_rank=0)
    model = job.trainer.model.double()
    assert type(model.tag_bilinear) is TagBilinear
    assert {"tag_bilinear.weight", "tag_bilinear.bias"} <= set(model.state_dict())
    before = copy.deepcopy(model)
    before.tag_bilinear.__class__ = torch.nn.Bilinear
    for batch in job.trainer.data_loader:
        for training in (True, False):
            outputs = model.train(training)(**batch)
            expected = before.train(training)(**batch)
            torch.testing.assert_close(outputs["loss"], expected["loss"], rtol=1e-10, atol=1e-10)
            for name in ("heads", "head_tags"):
                torch.testing.assert_close(outputs[name], expected[name])
