"""PyTorch's own kernels as a path, on the CPU; and every path on such devices as there are."""

from itertools import product

import pytest
import torch

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import backends, batched, library, reference, run_layer
from allennlp_gated.recurrence.layer import without_autocast
from tests.recurrence.common import Case, flat, gradients, make_case, random_sum

RAGGED = (3, 0, 7, 1, 7)
IN_LIBRARY = [key for key, one in ABLATIONS.items() if library.why_not(one, [], False) is None]
keys = pytest.mark.parametrize("key", IN_LIBRARY)
DEVICES = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
devices = pytest.mark.parametrize(
    "device",
    DEVICES or [pytest.param("cuda", marks=pytest.mark.skip(reason="no CUDA device here"))],
)


def compare(case: Case) -> None:
    assert library.why_not(case.ablation, case.directions, case.highway) is None
    results, expected = flat(library.run_layer(*case)), flat(reference.run_layer(*case))
    assert len(results) == len(expected)
    for one, other in zip(results, expected):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)
    for one, other in zip(gradients(case, results), gradients(case, expected)):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def test_the_lstm_and_the_rnn_are_in_the_library() -> None:
    assert IN_LIBRARY == ["full", "no_gates"]


@keys
@pytest.mark.parametrize(
    "reverse", [(False,), (True,), (False, True), (True, False), (False, False)], ids=str
)
def test_equals_the_reference(key: str, reverse) -> None:
    for lengths, state, bias in product((None, RAGGED, (7,) * 5), (False, True), (False, True)):
        compare(make_case(ABLATIONS[key], lengths=lengths, reverse=reverse, state=state, bias=bias))


def test_projection() -> None:
    for lengths, reverse in product((None, RAGGED), ((False, True), (True,))):
        compare(
            make_case(
                ABLATIONS["full"], lengths=lengths, reverse=reverse, state=True, projection_size=4
            )
        )


@keys
def test_one_direction_with_bias_and_state_and_one_without(key: str) -> None:
    case = make_case(ABLATIONS[key], lengths=RAGGED, reverse=(False, True), state=True)
    first, second = case.directions
    second = second._replace(bias=None, hidden_0=None, memory_cell_0=None)
    compare(case._replace(directions=[first, second]))


@keys
@pytest.mark.parametrize("size", [(0, 2, None), (4, 2, (0, 0)), (3, 0, None)], ids=str)
def test_without_steps(key: str, size) -> None:
    steps, rows, lengths = size
    compare(make_case(ABLATIONS[key], steps, rows, lengths=lengths, reverse=(False,), state=True))


@keys
def test_padding_is_neither_read_nor_left_as_garbage(key: str) -> None:
    for reverse in ((False, True), (True,)):
        case = make_case(ABLATIONS[key], lengths=RAGGED, reverse=reverse)
        alive = torch.arange(7).unsqueeze(1) < case.lengths.unsqueeze(0)
        with torch.no_grad():
            case.inputs[~alive] = float("nan")
        outputs, _ = library.run_layer(*case)
        assert (outputs[~alive] == 0).all() and outputs.isfinite().all()
        grad_outputs = torch.ones_like(outputs)
        grad_outputs[~alive] = float("nan")
        found = torch.autograd.grad(outputs, case.tensors(), grad_outputs)
        assert all(one.isfinite().all() for one in found)
        assert (found[0][~alive] == 0).all()


@keys
def test_double_and_second_backward(key: str) -> None:
    case = make_case(ABLATIONS[key], 3, 2, 2, 3, lengths=(3, 2), reverse=(False, True), state=True)
    tensors = case.tensors()

    def twice(results):
        total = random_sum(results)
        first = torch.autograd.grad(total, tensors, create_graph=True)
        return torch.autograd.grad(sum((one**2).sum() for one in first), tensors)

    found, expected = (twice(flat(path.run_layer(*case))) for path in (library, reference))
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)

    total = random_sum(flat(library.run_layer(*case)))
    first = torch.autograd.grad(total, tensors, retain_graph=True)
    for one, other in zip(first, torch.autograd.grad(total, tensors)):
        assert torch.equal(one, other)


@keys
def test_without_gradients_and_in_low_precision(key: str) -> None:
    case = make_case(ABLATIONS[key], lengths=RAGGED, reverse=(False, True))
    expected = flat(reference.run_layer(*case))
    with torch.no_grad():
        for one, other in zip(flat(library.run_layer(*case)), expected):
            assert not one.requires_grad
            torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, _ = library.run_layer(*case.to(torch.float32))
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs.double(), expected[0], atol=2e-6, rtol=2e-6)


def test_reasons() -> None:
    full, no_gates = ABLATIONS["full"], ABLATIONS["no_gates"]
    for case, reason in (
        (make_case(ABLATIONS["no_srnn"]), "no kernel for no_srnn"),
        (make_case(full, highway=True), "highway"),
        (make_case(full, dropout=True), "dropout"),
        (make_case(no_gates, projection_size=4), "RNN kernel has no projection"),
        (make_case(full, projection_size=9), "as many features"),
    ):
        assert reason in library.why_not(case.ablation, case.directions, case.highway)


class _FakeDevice:
    type = "xpu"


class _Elsewhere:
    """Stands for inputs on a device that this machine need not have."""

    device = _FakeDevice()


@pytest.mark.parametrize("key", ABLATIONS)
def test_other_devices_take_the_library_where_they_can(key: str, monkeypatch) -> None:
    for path in (library, batched):
        monkeypatch.setattr(path, "run_layer", lambda *_, path=path: path)
    taken = run_layer(ABLATIONS[key], _Elsewhere(), None, [])
    assert taken is (library if key in IN_LIBRARY else batched)
    monkeypatch.setattr(backends.native, "load", lambda: (None, "a reason"))
    monkeypatch.delenv(backends.VARIABLE, raising=False)
    assert run_layer(ABLATIONS[key], torch.zeros(1, 1, 1), None, []) is batched


def test_a_device_without_autocast() -> None:
    with without_autocast(torch.device("meta")):
        pass


@devices
@pytest.mark.parametrize("key", ABLATIONS)
def test_on_a_device(key: str, device: str) -> None:
    for lengths, dropout, reverse in product(
        (None, RAGGED), (False, True), ((False, True), (True,))
    ):
        case = make_case(
            ABLATIONS[key], lengths=lengths, dropout=dropout, reverse=reverse, state=True
        )
        expected = flat(reference.run_layer(*case))
        expected_gradients = gradients(case, expected)
        moved = case._replace(
            inputs=case.inputs.to(device),
            directions=[
                one._replace(
                    **{
                        name: getattr(one, name).to(device)
                        for name in one._fields[:-1]
                        if getattr(one, name) is not None
                    }
                )
                for one in case.directions
            ],
        )
        # The copies are not leaves: gradients flow back through them to the tensors on the CPU.
        results = [one.cpu() for one in flat(run_layer(*moved))]
        for one, other in zip(results, expected):
            torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)
        for one, other in zip(gradients(case, results), expected_gradients):
            torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)
