import pytest
import torch
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.lstm import AblatedLstm
from tests import scalar_oracle


@pytest.mark.parametrize("key", ABLATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_agrees_with_the_scalar_equations(key, bias):
    torch.manual_seed(1)
    lstm = AblatedLstm(key, 3, 4, bias=bias, bidirectional=True).double()
    lengths = [5, 0, 2]
    inputs = torch.randn(3, 5, 3, dtype=torch.float64)
    states = [torch.randn(2, 3, 4, dtype=torch.float64) for _ in lstm.ablation.state_names]
    outputs, final = lstm(inputs, states, torch.tensor(lengths))
    final = [final] if isinstance(final, torch.Tensor) else final

    for direction, suffix in enumerate(["_l0", "_l0_reverse"]):
        weights = [getattr(lstm, name + suffix) for name in ("weight_ih", "weight_hh", "bias")]
        weights = [None if one is None else one.tolist() for one in weights]
        half = slice(4 * direction, 4 * direction + 4)
        for row, length in enumerate(lengths):
            xs = inputs[row, :length].tolist()
            h0 = states[0][direction, row].tolist()
            c0 = states[-1][direction, row].tolist()
            expected, c_n = scalar_oracle.run(key, *weights, xs[::-1] if direction else xs, h0, c0)
            h_n = expected[-1] if expected else h0
            expected = expected[::-1] if direction else expected
            expected = torch.tensor(expected + [[0.0] * 4] * (5 - length), dtype=torch.float64)
            torch.testing.assert_close(outputs[row, :, half], expected, rtol=0, atol=1e-12)
            expected = torch.tensor(h_n, dtype=torch.float64)
            torch.testing.assert_close(final[0][direction, row], expected, rtol=0, atol=1e-12)
            if lstm.ablation.has_memory_cell:
                expected = torch.tensor(c_n, dtype=torch.float64)
                torch.testing.assert_close(final[1][direction, row], expected, rtol=0, atol=1e-12)


def torch_pair(key, **options):
    torch.manual_seed(2)
    theirs = {"full": torch.nn.LSTM, "no_gates": torch.nn.RNN}[key]
    theirs = theirs(3, 4, num_layers=2, batch_first=True, **options).double()
    return theirs, AblatedLstm.from_torch(theirs)


def gradients_of(module, inputs, states, run):
    """The outputs and final states, and the gradients of a fixed function of both."""
    leaves = [one.detach().requires_grad_() for one in [inputs, *states]]
    outputs, final = run(leaves[0], leaves[1:])
    final = [final] if isinstance(final, torch.Tensor) else list(final)
    total = sum(
        (one * torch.cos(torch.arange(one.numel()).view_as(one))).sum() for one in [outputs, *final]
    )
    names, parameters = zip(*module.named_parameters())
    gradients = torch.autograd.grad(total, leaves + list(parameters))
    return [outputs, *final], gradients[: len(leaves)], dict(zip(names, gradients[len(leaves) :]))


@pytest.mark.parametrize(
    ("key", "projected"), [("full", False), ("full", True), ("no_gates", False)]
)
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_equals_torch_in_outputs_states_and_gradients(key, bidirectional, bias, projected):
    options = {"proj_size": 2} if projected else {}
    theirs, ours = torch_pair(key, bidirectional=bidirectional, bias=bias, **options)
    inputs = torch.randn(5, 6, 3, dtype=torch.float64)
    count = 4 if bidirectional else 2
    states = [
        torch.randn(count, 5, size, dtype=torch.float64)
        for size in ([2 if projected else 4, 4] if key == "full" else [4])
    ]
    lengths = torch.tensor([3, 6, 1, 6, 2])

    def run_theirs(inputs, states):
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        outputs, final = theirs(packed, tuple(states) if len(states) > 1 else states[0])
        return pad_packed_sequence(outputs, batch_first=True)[0], final

    expected, expected_leaves, expected_parameters = gradients_of(
        theirs, inputs, states, run_theirs
    )
    actual, actual_leaves, actual_parameters = gradients_of(
        ours, inputs, states, lambda inputs, states: ours(inputs, states, lengths)
    )
    for ours_, theirs_ in zip([*actual, *actual_leaves], [*expected, *expected_leaves]):
        torch.testing.assert_close(ours_, theirs_, rtol=0, atol=1e-10)
    for name, gradient in actual_parameters.items():
        # Both of PyTorch's biases have the gradient of the one there is here.
        same = expected_parameters[name.replace("bias_", "bias_hh_")]
        torch.testing.assert_close(gradient, same, rtol=0, atol=1e-10)


@pytest.mark.parametrize("key", ["full", "no_gates"])
def test_converts_back_to_torch(key):
    theirs, ours = torch_pair(key, bidirectional=True)
    inputs = torch.randn(2, 4, 3, dtype=torch.float64)
    again = ours.to_torch()
    assert type(again) is type(theirs)
    torch.testing.assert_close(again(inputs)[0], theirs(inputs)[0], rtol=0, atol=1e-12)
    assert not any(
        parameter.any() for name, parameter in again.named_parameters() if "bias_hh" in name
    )


def test_conversion_keeps_dropout_and_mode():
    ours = AblatedLstm.from_torch(torch.nn.LSTM(3, 4, num_layers=2, dropout=0.4).eval())
    assert ours.dropout == 0.4 and not ours.training
    assert ours.to_torch().dropout == 0.4 and not ours.to_torch().training


@pytest.mark.parametrize("key", [key for key in ABLATIONS if key not in ("full", "no_gates")])
def test_torch_has_no_module_for_the_others(key):
    with pytest.raises(ConfigurationError, match=f"ablation: PyTorch has no module for '{key}'"):
        AblatedLstm(key, 3, 4).to_torch()


@pytest.mark.parametrize(
    "module", [torch.nn.GRU(3, 4), torch.nn.RNN(3, 4, nonlinearity="relu"), torch.nn.Linear(3, 4)]
)
def test_from_torch_refuses_other_modules(module):
    with pytest.raises(ConfigurationError, match=r"module: must be a torch\.nn\.LSTM"):
        AblatedLstm.from_torch(module)


@pytest.mark.parametrize("key", ABLATIONS)
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_a_packed_sequence_gives_a_packed_sequence(key, enforce_sorted):
    lstm = AblatedLstm(key, 3, 4, bidirectional=True).double()
    lengths = torch.tensor([5, 5, 2, 1] if enforce_sorted else [1, 5, 2, 5])
    inputs = torch.randn(4, 5, 3, dtype=torch.float64)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=enforce_sorted)
    outputs, final = lstm(packed)
    expected, expected_final = lstm(inputs, lengths=lengths)
    again = pack_padded_sequence(expected, lengths, batch_first=True, enforce_sorted=enforce_sorted)
    assert torch.equal(outputs.data, again.data)
    assert torch.equal(outputs.batch_sizes, packed.batch_sizes)
    assert torch.equal(pad_packed_sequence(outputs, batch_first=True)[0], expected)
    for one, two in zip(final, expected_final):
        assert torch.equal(one, two)


@pytest.mark.parametrize("key", ABLATIONS)
def test_only_what_is_used_is_stored(key):
    lstm = AblatedLstm(key, 3, 4, num_layers=2, bidirectional=True)
    shapes = {name: tuple(parameter.shape) for name, parameter in lstm.named_parameters()}
    expected = {}
    for layer, below in enumerate([3, 8]):
        for direction in ("", "_reverse"):
            see_input, see_hidden, have_bias = scalar_oracle.ROWS[key]
            expected[f"weight_ih_l{layer}{direction}"] = (4 * len(see_input), below)
            if see_hidden:
                expected[f"weight_hh_l{layer}{direction}"] = (4 * len(see_hidden), 4)
            expected[f"bias_l{layer}{direction}"] = (4 * len(have_bias),)
    assert shapes == expected


@pytest.mark.parametrize("key", ABLATIONS)
def test_starts_uniform_as_torch_does(key):
    lstm = AblatedLstm(key, 30, 100)
    for parameter in lstm.parameters():
        assert parameter.abs().max() <= 0.1
        assert parameter.abs().max() > 0.09


@pytest.mark.parametrize("key", ABLATIONS)
def test_dropout_acts_between_layers_and_in_training_alone(key):
    torch.manual_seed(3)
    lstm = AblatedLstm(key, 3, 4, num_layers=2, dropout=0.5)
    inputs = torch.randn(2, 5, 3)
    layers, _ = lstm.forward_all_layers(inputs)
    again, _ = lstm.forward_all_layers(inputs)
    assert torch.equal(layers[0], again[0]) and not torch.equal(layers[1], again[1])
    lstm.eval()
    assert torch.equal(lstm(inputs)[0], lstm(inputs)[0])


@settings(max_examples=25, deadline=None)
@given(
    key=st.sampled_from(list(ABLATIONS)),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    bidirectional=st.booleans(),
)
def test_a_row_does_not_depend_on_the_batch_around_it(key, lengths, bidirectional):
    torch.manual_seed(4)
    lstm = AblatedLstm(key, 3, 4, num_layers=2, bidirectional=bidirectional).double()
    inputs = torch.randn(len(lengths), 6, 3, dtype=torch.float64)
    outputs, _ = lstm(inputs, lengths=torch.tensor(lengths))
    for row, length in enumerate(lengths):
        assert not outputs[row, length:].any()
        alone, _ = lstm(inputs[row : row + 1, :length])
        torch.testing.assert_close(outputs[row : row + 1, :length], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("key", ABLATIONS)
def test_observers_see_each_layer_and_stop_when_removed(key):
    lstm = AblatedLstm(key, 3, 4, num_layers=2)
    calls = []
    handle = lstm.add_observer(calls.append)
    outputs, _ = lstm(torch.randn(2, 5, 3))
    assert [call.layer for call in calls] == [0, 1]
    assert torch.equal(calls[1].outputs.transpose(0, 1), outputs)
    assert torch.equal(calls[1].inputs, calls[0].outputs)
    handle.remove()
    handle.remove()
    lstm(torch.randn(2, 5, 3))
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 0}, "input_size: must be an integer of at least 1, not 0"),
        ({"hidden_size": -4}, "hidden_size: must be an integer of at least 1, not -4"),
        ({"hidden_size": 2.5}, "hidden_size: must be an integer of at least 1, not 2.5"),
        ({"num_layers": 0}, "num_layers: must be an integer of at least 1, not 0"),
        ({"dropout": 1.0}, r"dropout: must be a probability in \[0, 1\), not 1.0"),
        ({"dropout": -0.1}, r"dropout: must be a probability in \[0, 1\), not -0.1"),
        ({"projection_size": 4}, "projection_size: must be smaller than hidden_size=4, not 4"),
        ({"projection_size": 0}, "projection_size: must be an integer of at least 1, not 0"),
        ({"ablation": "no_such"}, "ablation: 'no_such' is not a key; choose one of full, "),
    ],
)
def test_a_bad_parameter_is_named(options, message):
    with pytest.raises(ConfigurationError, match=message):
        AblatedLstm(**{"ablation": "full", "input_size": 3, "hidden_size": 4, **options})


def zeros(*shape):
    return torch.zeros(shape)


@pytest.mark.parametrize(
    ("key", "arguments", "message"),
    [
        ("full", (zeros(2, 5, 9),), r"inputs: shape must be \(batch, steps, input_size=3\)"),
        ("full", (zeros(5, 3),), r"inputs: shape must be .* not \(5, 3\)"),
        ("full", (zeros(2, 5, 3), None, zeros(3)), r"lengths: shape must be \(batch=2,\)"),
        ("full", (zeros(2, 5, 3), zeros(1, 2, 4)), r"\(hidden, memory_cell\) of lstm_full, not 1"),
        ("full", (zeros(2, 5, 3), [zeros(1, 2, 4)] * 3), "not 3 of them"),
        (
            "full",
            (zeros(2, 5, 3), (zeros(1, 2, 4), zeros(1, 3, 4))),
            r"the memory_cell must have shape \(layers \* directions=1, batch=2, size=4\)",
        ),
        ("no_gates", (zeros(2, 5, 3), zeros(2, 2, 4)), "the hidden must have shape"),
    ],
)
def test_a_bad_shape_is_named(key, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        AblatedLstm(key, 3, 4)(*arguments)


def test_without_a_memory_cell_half_of_a_pair_is_unused():
    lstm = AblatedLstm("no_gates", 3, 4)
    inputs, hidden, unused = torch.randn(2, 5, 3), torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    alone, final = lstm(inputs, hidden)
    assert torch.equal(lstm(inputs, (hidden, unused))[0], alone)
    assert torch.equal(lstm(inputs, [hidden])[0], alone)
    assert isinstance(final, torch.Tensor)
