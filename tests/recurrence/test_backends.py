"""Every path against the reference: outputs, final states and all gradients."""

import threading
from itertools import product
from typing import List, Optional

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import reference, run_layer
from allennlp_gated.recurrence.backends import BACKENDS, VARIABLE, why_not
from tests.recurrence.common import (
    Case,
    backend,
    flat,
    gradients,
    make_case,
    random_sum,
    scaled,
    threads,
)

FAST = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(why_not(name) is not None, reason=f"{name}: {why_not(name)}"),
    )
    for name in BACKENDS
    if name != "reference"
]
RAGGED = (3, 0, 7, 1, 7)
keys = pytest.mark.parametrize("key", ABLATIONS)
fast = pytest.mark.parametrize("name", FAST)


def compare(name: str, case: Case) -> None:
    """Float64 and float32, each against the reference in float64."""
    # Numbers that float32 has: what rounding the arguments does is not the path's doing.
    exact = case.to(torch.float32).to(torch.float64)
    expected = flat(reference.run_layer(*exact))
    expected_gradients = gradients(exact, expected)
    # Where large terms cancel, what is left of them is no more exact than they were.
    floor = 0.1 * max([float(one.norm()) for one in expected_gradients], default=0.0)
    for dtype, of_outputs, of_gradients in (
        (torch.float64, 1e-10, 1e-10),
        (torch.float32, 2e-6, 3e-6),
    ):
        this = exact.to(dtype)
        with backend(name):
            results = flat(run_layer(*this))
            found = gradients(this, results)
        assert len(results) == len(expected)
        for one, other in zip(results, expected):
            assert one.dtype == dtype and one.shape == other.shape
            torch.testing.assert_close(one.double(), other, atol=of_outputs, rtol=of_outputs)
        for one, other in zip(found, expected_gradients):
            difference = (one.double() - other).norm()
            assert difference <= of_gradients * other.norm().clamp_min(floor)


@fast
@keys
@pytest.mark.parametrize("reverse", [(True,), (False, True)], ids=str)
@pytest.mark.parametrize("lengths", [None, RAGGED], ids=["dense", "ragged"])
def test_equals_the_reference(name: str, key: str, reverse, lengths) -> None:
    # Every pair of the three; test_any_shape draws from all that there is.
    for highway, dropout in product((False, True), repeat=2):
        state = highway != dropout
        hidden_size = 19 if state else 8
        compare(
            name,
            make_case(
                ABLATIONS[key],
                hidden_size=hidden_size,
                lengths=lengths,
                reverse=reverse,
                highway=highway,
                dropout=dropout,
                state=state,
            ),
        )


@fast
@keys
def test_projection_and_no_bias(name: str, key: str) -> None:
    for lengths, dropout in ((None, False), (RAGGED, True)):
        compare(
            name,
            make_case(
                ABLATIONS[key],
                lengths=lengths,
                reverse=(False, True),
                dropout=dropout,
                state=dropout,
                projection_size=4,
                bias=dropout,
            ),
        )


@fast
@keys
def test_a_single_step(name: str, key: str) -> None:
    # As a decoder makes it: the compiled kernels have a way of their own for that.
    for lengths, state, projection_size in (
        (None, True, None),
        ((1, 0, 1, 1, 0), True, None),
        ((0, 1, 1), False, None),
        ((1, 0, 1), True, 4),
    ):
        case = make_case(
            ABLATIONS[key],
            1,
            5 if lengths is None else len(lengths),
            hidden_size=37,
            lengths=lengths,
            reverse=(False, True),
            dropout=True,
            state=state,
            projection_size=projection_size,
        )
        with threads(3 if projection_size else 1):
            compare(name, case)
    case = make_case(ABLATIONS[key], 1, 40, 90, 130, reverse=(False,), state=True)
    with threads(2):
        compare(name, scaled(case))


@fast
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_shape(name: str, data) -> None:
    total_steps = data.draw(st.integers(1, 12), "T")
    batch_size = data.draw(st.integers(1, 20), "B")
    lengths: Optional[List[int]] = None
    if data.draw(st.booleans(), "ragged"):
        one = st.integers(0, total_steps)
        lengths = data.draw(st.lists(one, min_size=batch_size, max_size=batch_size), "lengths")
    case = make_case(
        ABLATIONS[data.draw(st.sampled_from(sorted(ABLATIONS)), "key")],
        total_steps=total_steps,
        batch_size=batch_size,
        input_size=data.draw(st.integers(1, 40), "I"),
        hidden_size=data.draw(st.integers(1, 70), "H"),
        lengths=lengths,
        reverse=data.draw(st.sampled_from([(False,), (True,), (False, True)]), "reverse"),
        highway=data.draw(st.booleans(), "highway"),
        dropout=data.draw(st.booleans(), "dropout"),
        state=data.draw(st.booleans(), "state"),
    )
    with threads(data.draw(st.integers(1, 3), "threads")):
        compare(name, scaled(case))


@fast
@keys
@pytest.mark.parametrize("lengths", [None, (0, 0)], ids=["no steps", "empty rows"])
def test_without_steps(name: str, key: str, lengths) -> None:
    steps = 0 if lengths is None else 4
    case = make_case(ABLATIONS[key], steps, 2, lengths=lengths, reverse=(False, True), state=True)
    with backend(name):
        results = flat(run_layer(*case))
    for one, other in zip(results, flat(reference.run_layer(*case))):
        assert torch.equal(one, other)
    for one, other in zip(
        gradients(case, results), gradients(case, flat(reference.run_layer(*case)))
    ):
        assert torch.equal(one, other)


@fast
@pytest.mark.parametrize("key", ["full", "no_srnn_no_hidden"])
def test_large_enough_for_every_block(name: str, key: str) -> None:
    # More rows and depth than one block of the blocked product holds, on three threads; and more
    # columns, on one.
    case = make_case(
        ABLATIONS[key], 12, 37, 300, 270, lengths=None, reverse=(False, True), dropout=True
    )
    with threads(3):
        compare(name, scaled(case))
    case = make_case(ABLATIONS[key], 10, 12, 3, 520)
    with threads(1):
        compare(name, scaled(case))


@fast
@pytest.mark.parametrize("state", [False, True], ids=["zeros", "states"])
def test_more_rows_than_a_block_is_deep(name: str, state: bool) -> None:
    # The first steps of 300 rows, whose h is zero or a given state, fill more than one block.
    for dropout in (False, True):
        case = make_case(
            ABLATIONS["no_srnn"], 3, 300, 5, 9, reverse=(False, True), dropout=dropout, state=state
        )
        compare(name, scaled(case))


@fast
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_single_step_of_few_rows(name: str, count: int) -> None:
    case = make_case(ABLATIONS["full"], 1, count, 21, 19, state=True, dropout=True)
    with threads(2):
        compare(name, case)


@fast
@keys
def test_padding_is_neither_read_nor_left_as_garbage(name: str, key: str) -> None:
    case = make_case(ABLATIONS[key], lengths=RAGGED, reverse=(False, True), state=True)
    alive = torch.arange(7).unsqueeze(1) < case.lengths.unsqueeze(0)
    with torch.no_grad():
        case.inputs[~alive] = float("nan")
    with backend(name):
        outputs, states = run_layer(*case)
        # Whatever the gradient of the padding is, nothing comes of it.
        grad_outputs = torch.ones_like(outputs)
        grad_outputs[~alive] = float("nan")
        found = torch.autograd.grad(
            [outputs, *[one for state in states for one in state if one is not None]],
            case.tensors(),
            [grad_outputs]
            + [torch.ones_like(one) for state in states for one in state if one is not None],
            allow_unused=True,
        )
    assert (outputs[~alive] == 0).all()
    assert outputs.isfinite().all()
    assert all(one.isfinite().all() for one in found if one is not None)
    assert (found[0][~alive] == 0).all()


@pytest.mark.parametrize("name", [one for one in FAST if one.values[0] != "torch"])
@keys
def test_no_value_is_read_before_it_is_written(name: str, key: str, monkeypatch) -> None:
    from allennlp_gated.recurrence import workspace

    def poisoned(self: workspace._Pool, size: int) -> torch.Tensor:
        # Bytes of 0xFF are a NaN in both dtypes.
        return torch.full((size,), 255, dtype=torch.uint8)

    monkeypatch.setattr(workspace._Pool, "take", poisoned)
    empty = torch.Tensor.new_empty
    monkeypatch.setattr(
        torch.Tensor, "new_empty", lambda self, *a, **k: empty(self, *a, **k).fill_(float("nan"))
    )
    for lengths, hidden_size in ((None, 8), (RAGGED, 21)):
        compare(
            name,
            make_case(
                ABLATIONS[key],
                hidden_size=hidden_size,
                lengths=lengths,
                reverse=(False, True),
                state=lengths is None,
            ),
        )


@fast
@keys
def test_second_backward_and_partial_gradients(name: str, key: str) -> None:
    case = make_case(ABLATIONS[key], lengths=RAGGED, reverse=(False, True), dropout=True)
    with backend(name):
        results = flat(run_layer(*case))
        total = random_sum(results)
        first = torch.autograd.grad(total, case.tensors(), retain_graph=True)
        second = torch.autograd.grad(total, case.tensors())
        for one, other in zip(first, second):
            assert torch.equal(one, other)
        # Each tensor alone, and each result alone.
        for tensor in _all(case):
            for other in _all(case):
                other.requires_grad_(other is tensor)
            alone = flat(run_layer(*case))
            (found,) = torch.autograd.grad(random_sum(alone), [tensor])
            expected = first[[one is tensor for one in _all(case)].index(True)]
            torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
        for tensor in _all(case):
            tensor.requires_grad_()
        count = len(results)
        for index in range(count):
            (found,) = torch.autograd.grad(flat(run_layer(*case))[index].sum(), [case.inputs])
            (expected,) = torch.autograd.grad(
                flat(reference.run_layer(*case))[index].sum(), [case.inputs]
            )
            torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-10)


def _all(case: Case) -> List[torch.Tensor]:
    found = [case.inputs]
    for one in case.directions:
        found += [one.weight_ih, one.weight_hh, one.bias]
    return [one for one in found if one is not None]


@fast
@keys
def test_gradcheck(name: str, key: str) -> None:
    case = make_case(
        ABLATIONS[key], 3, 2, 2, 3, lengths=(3, 2), reverse=(True,), highway=True, state=True
    )

    def function(*tensors: torch.Tensor):
        iterator = iter(tensors)
        inputs = next(iterator)
        direction = case.directions[0]
        direction = direction._replace(
            **{
                field: next(iterator)
                for field in direction._fields[:-1]
                if getattr(direction, field) is not None
            }
        )
        return tuple(flat(run_layer(case.ablation, inputs, case.lengths, [direction], True)))

    with backend(name):
        assert torch.autograd.gradcheck(function, case.tensors(), fast_mode=True)
        assert torch.autograd.gradgradcheck(function, case.tensors(), fast_mode=True)


@fast
def test_strides_and_no_grad(name: str) -> None:
    case = make_case(ABLATIONS["full"], reverse=(False, True))
    expected = flat(reference.run_layer(*case))
    batch_first = case.inputs.detach().transpose(0, 1).contiguous().transpose(0, 1)
    features_apart = case.inputs.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0)
    every_other = case.inputs.detach().repeat_interleave(2, dim=1)[:, ::2]
    with backend(name), torch.no_grad():
        for inputs in (batch_first, features_apart, every_other):
            for one, other in zip(flat(run_layer(*case._replace(inputs=inputs))), expected):
                assert not one.requires_grad
                torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@fast
def test_two_threads_of_python_at_once(name: str) -> None:
    case = make_case(ABLATIONS["full"], 11, 9, 16, 24, reverse=(False, True), dropout=True)
    expected = gradients(case, flat(reference.run_layer(*case)))
    failures: List[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                this = case.to(torch.float64)
                found = gradients(this, flat(run_layer(*this)))
                for one, other in zip(found, expected):
                    torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)
        except BaseException as error:
            failures.append(error)

    with backend(name), threads(2):
        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert not failures


@fast
def test_low_precision(name: str) -> None:
    case = make_case(ABLATIONS["full"], dtype=torch.float32)
    half = case.to(torch.bfloat16)
    with backend(name):
        outputs, _ = run_layer(*half)
        assert outputs.dtype == torch.bfloat16
        torch.testing.assert_close(
            outputs.float(), reference.run_layer(*case)[0], atol=0.05, rtol=0.05
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs, _ = run_layer(*case._replace(inputs=half.inputs.detach()))
        assert outputs.dtype == torch.float32
        assert gradients(case, [outputs])[1].dtype == torch.float32


@fast
def test_saturation_and_nan(name: str) -> None:
    case = make_case(ABLATIONS["full"], dtype=torch.float32)
    with torch.no_grad():
        case.inputs.mul_(1e4)
        with backend(name):
            outputs, _ = run_layer(*case)
        assert outputs.isfinite().all()
        # Sums of numbers near 1e4 are known to three decimals.
        torch.testing.assert_close(outputs, reference.run_layer(*case)[0], atol=1e-3, rtol=1e-3)
        case.inputs[2, 1, 0] = float("nan")
        with backend(name):
            outputs, _ = run_layer(*case)
    assert outputs[2:, 1].isnan().all() and outputs[:2].isfinite().all()


def test_the_variable_is_checked(monkeypatch) -> None:
    case = make_case(ABLATIONS["full"])
    monkeypatch.setenv(VARIABLE, "fortran")
    with pytest.raises(ConfigurationError, match=r"'fortran'.*reference, torch, baseline"):
        run_layer(*case)
    missing = [name for name in BACKENDS if why_not(name) is not None]
    for name in missing:
        monkeypatch.setenv(VARIABLE, name)
        with pytest.raises(ConfigurationError, match=name):
            run_layer(*case)


def test_a_mask_that_wants_a_gradient_gets_it() -> None:
    case = make_case(ABLATIONS["full"], dropout=True)
    mask = case.directions[0].hidden_dropout_mask
    mask.requires_grad_()
    (found,) = torch.autograd.grad(run_layer(*case)[0].sum(), [mask])
    assert found.abs().sum() > 0
