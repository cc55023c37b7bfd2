import warnings

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.augmented_lstm import AugmentedLstm
from allennlp.modules.stacked_alternating_lstm import StackedAlternatingLstm
from allennlp.modules.stacked_bidirectional_lstm import StackedBidirectionalLstm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.augmented import (
    AblatedAugmentedLstm,
    AblatedStackedAlternatingLstm,
    AblatedStackedBidirectionalLstm,
    AugmentedModule,
)
from tests import scalar_oracle

PAIRS = [
    (AblatedAugmentedLstm, AugmentedLstm, {"go_forward": True}),
    (AblatedAugmentedLstm, AugmentedLstm, {"go_forward": False}),
    (AblatedAugmentedLstm, AugmentedLstm, {"use_input_projection_bias": False}),
    (AblatedStackedAlternatingLstm, StackedAlternatingLstm, {"num_layers": 3}),
    (
        AblatedStackedAlternatingLstm,
        StackedAlternatingLstm,
        {"num_layers": 2, "use_input_projection_bias": False},
    ),
    (AblatedStackedBidirectionalLstm, StackedBidirectionalLstm, {"num_layers": 2}),
]
SORTED_LENGTHS = torch.tensor([6, 6, 4, 1])


def run_stock(stock, inputs):
    packed = pack_padded_sequence(inputs, SORTED_LENGTHS, batch_first=True)
    outputs, final = stock(packed)
    return pad_packed_sequence(outputs, batch_first=True)[0], final


def assert_same_as_stock(ours, stock, seed=5):
    """In outputs, final states and all gradients of a fixed function of the outputs."""
    inputs = torch.randn(4, 6, 3, dtype=torch.float64)
    results = []
    for run in (
        lambda inputs: run_stock(stock, inputs),
        lambda inputs: ours(inputs, lengths=SORTED_LENGTHS),
    ):
        torch.manual_seed(seed)
        leaf = inputs.clone().requires_grad_()
        outputs, final = run(leaf)
        module = stock if not results else ours
        (outputs * torch.cos(torch.arange(outputs.numel()).view_as(outputs))).sum().backward()
        gradients = {name: one.grad for name, one in module.named_parameters()}
        results.append((outputs, final, leaf.grad, gradients))
    (expected, expected_final, expected_leaf, expected_gradients), actual = results
    torch.testing.assert_close(actual[0], expected, rtol=0, atol=1e-10)
    for one, two in zip(actual[1], expected_final):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)
    torch.testing.assert_close(actual[2], expected_leaf, rtol=0, atol=1e-10)
    assert actual[3].keys() == expected_gradients.keys()
    for name, gradient in actual[3].items():
        torch.testing.assert_close(gradient, expected_gradients[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("ours", "stock", "options"), PAIRS)
@pytest.mark.parametrize("use_highway", [True, False])
def test_full_equals_the_stock_module(ours, stock, options, use_highway):
    torch.manual_seed(6)
    theirs = stock(3, 4, use_highway=use_highway, **options).double()
    assert_same_as_stock(ours.from_stock(theirs), theirs)


@pytest.mark.parametrize(("ours", "stock", "options"), PAIRS)
def test_full_draws_the_stock_dropout(ours, stock, options):
    theirs = stock(3, 4, recurrent_dropout_probability=0.4, **options).double()
    assert_same_as_stock(ours.from_stock(theirs), theirs)


def test_full_draws_the_stock_layer_dropout():
    theirs = StackedBidirectionalLstm(3, 4, 2, layer_dropout_probability=0.4).double()
    assert_same_as_stock(AblatedStackedBidirectionalLstm.from_stock(theirs), theirs)


@pytest.mark.parametrize(("ours", "stock", "options"), PAIRS)
@pytest.mark.parametrize("use_highway", [True, False])
def test_full_starts_and_is_laid_out_as_the_stock_module(ours, stock, options, use_highway):
    theirs = stock(3, 4, use_highway=use_highway, **options)
    module = ours("full", 3, 4, use_highway=use_highway, **options)
    shapes = {name: one.shape for name, one in theirs.named_parameters()}
    assert {name: one.shape for name, one in module.named_parameters()} == shapes
    for name, parameter in module.named_parameters():
        if name.endswith("state_linearity.bias"):
            assert torch.equal(parameter, theirs.state_dict()[name])
        elif name.endswith("state_linearity.weight"):
            for block in parameter.split(4):
                identity = torch.eye(4)
                torch.testing.assert_close(block @ block.t(), identity, rtol=0, atol=1e-5)


@pytest.mark.parametrize("key", ABLATIONS)
@pytest.mark.parametrize("use_highway", [True, False])
@pytest.mark.parametrize("use_input_projection_bias", [True, False])
def test_only_what_is_used_is_stored(key, use_highway, use_input_projection_bias):
    module = AblatedAugmentedLstm(
        key,
        3,
        4,
        use_highway=use_highway,
        use_input_projection_bias=use_input_projection_bias,
    )
    see_input, see_hidden, have_bias = map(len, scalar_oracle.ROWS[key])
    expected = {"cell.input_linearity.weight": (4 * (see_input + 2 * use_highway), 3)}
    if see_hidden:
        expected["cell.state_linearity.weight"] = (4 * (see_hidden + use_highway), 4)
    expected["cell.state_linearity.bias"] = (4 * (have_bias + use_highway),)
    if use_input_projection_bias:
        expected["cell.input_linearity.bias"] = (4 * (have_bias + 2 * use_highway),)
    assert {name: tuple(one.shape) for name, one in module.named_parameters()} == expected


@pytest.mark.parametrize("key", ABLATIONS)
def test_the_forget_gate_starts_open_and_no_other(key):
    bias = AblatedAugmentedLstm(key, 3, 4, use_highway=False).cell.state_linearity.bias
    have_bias = scalar_oracle.ROWS[key][2]
    expected = [1.0 if block == "f" else 0.0 for block in have_bias for _ in range(4)]
    assert bias.tolist() == expected


@pytest.mark.parametrize("key", ABLATIONS)
@pytest.mark.parametrize("go_forward", [True, False])
def test_agrees_with_the_scalar_equations(key, go_forward):
    torch.manual_seed(7)
    module = AblatedAugmentedLstm(key, 3, 4, go_forward=go_forward, use_highway=False).double()
    inputs = torch.randn(1, 5, 3, dtype=torch.float64)
    outputs, _ = module(inputs)
    cell = module.cell
    weight_hh = cell.state_linearity.weight
    xs = inputs[0].tolist()
    expected, _ = scalar_oracle.run(
        key,
        cell.input_linearity.weight.tolist(),
        None if weight_hh is None else weight_hh.tolist(),
        (cell.input_linearity.bias + cell.state_linearity.bias).tolist(),
        xs if go_forward else xs[::-1],
        [0.0] * 4,
        [0.0] * 4,
    )
    expected = torch.tensor(expected if go_forward else expected[::-1], dtype=torch.float64)
    torch.testing.assert_close(outputs[0], expected, rtol=0, atol=1e-12)


def new_modules(key, **options):
    return [
        AblatedAugmentedLstm(key, 3, 4, **options),
        AblatedStackedAlternatingLstm(key, 3, 4, 2, **options),
        AblatedStackedBidirectionalLstm(key, 3, 4, 2, **options),
    ]


@pytest.mark.parametrize("key", ABLATIONS)
def test_recurrent_dropout_acts_where_something_sees_the_hidden_state(key):
    sees_hidden = ABLATIONS[key].sees_hidden
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        modules = new_modules(key, recurrent_dropout_probability=0.5)
    assert len(caught) == (0 if sees_hidden else 3)
    for warning in caught:
        assert "recurrent_dropout_probability: nothing in no_srnn_no_hidden" in str(warning.message)
    inputs = torch.randn(2, 5, 3)
    for module in modules:
        torch.manual_seed(8)
        changed = not torch.equal(module(inputs)[0], module(inputs)[0])
        assert changed == sees_hidden
        module.eval()
        assert torch.equal(module(inputs)[0], module(inputs)[0])


@pytest.mark.parametrize("key", ABLATIONS)
def test_the_highway_keeps_a_path_beside_the_layer(key):
    module = AblatedAugmentedLstm(key, 3, 4, use_highway=True)
    with torch.no_grad():
        # A gate that is shut lets nothing of the layer through, only the linear map of x.
        module.cell.state_linearity.bias[-4:].fill_(-200.0)
    inputs = torch.randn(2, 5, 3)
    carried = torch.nn.functional.linear(
        inputs,
        module.cell.input_linearity.weight[-4:],
        module.cell.input_linearity.bias[-4:],
    )
    torch.testing.assert_close(module(inputs)[0], carried)


@pytest.mark.parametrize("key", ABLATIONS)
def test_a_stock_state_starts_both_directions(key):
    module = AblatedStackedBidirectionalLstm(key, 3, 4, 2).double()
    inputs = torch.randn(3, 5, 3, dtype=torch.float64)
    state = [torch.randn(2, 3, 4, dtype=torch.float64) for _ in module.ablation.state_names]
    doubled = [one.repeat_interleave(2, 0) for one in state]
    assert torch.equal(module(inputs, state)[0], module(inputs, doubled)[0])


@pytest.mark.parametrize("module_class", AugmentedModule.__subclasses__())
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recurrent_dropout_probability": 1.0}, r"recurrent_dropout_probability: must .*\[0, 1\)"),
        ({"input_size": 0}, "input_size: must be an integer of at least 1"),
        ({"hidden_size": True}, "hidden_size: must be an integer of at least 1, not True"),
        ({"ablation": "lstm"}, "ablation: 'lstm' is not a key"),
    ],
)
def test_a_bad_parameter_is_named(module_class, options, message):
    options = {"ablation": "full", "input_size": 3, "hidden_size": 4, **options}
    if module_class is not AblatedAugmentedLstm:
        options["num_layers"] = 2
    with pytest.raises(ConfigurationError, match=message):
        module_class(**options)


def test_a_bad_layer_dropout_is_named():
    with pytest.raises(
        ConfigurationError, match="layer_dropout_probability: must be a probability"
    ):
        AblatedStackedBidirectionalLstm("full", 3, 4, 2, layer_dropout_probability=1.5)
