import inspect

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules.seq2vec_encoders.seq2vec_encoder import Seq2VecEncoder

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.registration import STOCK_FAMILIES
from tests.common import FAMILIES, HIDDEN_SIZE, INPUT_SIZE, initial_state, ragged_batch

LENGTHS = [3, 0, 5, 1]
each_encoder = pytest.mark.parametrize(
    "name", [f"{family}_{key}" for family in STOCK_FAMILIES for key in ABLATIONS]
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(12)


def new_encoder(name):
    family = next(one for one in STOCK_FAMILIES if name in {f"{one}_{key}" for key in ABLATIONS})
    params = {"type": name, "input_size": INPUT_SIZE, "hidden_size": HIDDEN_SIZE}
    return Seq2VecEncoder.from_params(Params({**params, **FAMILIES[family]})).double()


@each_encoder
def test_gives_each_directions_last_hidden_state(name):
    encoder = new_encoder(name)
    inputs, mask = ragged_batch(LENGTHS, total_steps=7)
    vectors = encoder(inputs, mask)
    assert vectors.shape == (4, encoder.get_output_dim())
    assert encoder.get_input_dim() == INPUT_SIZE
    outputs, _ = encoder._module(inputs, None, torch.tensor(LENGTHS))
    last_layer = len(encoder._module._directions(0, inputs.transpose(0, 1)))
    for row, length in enumerate(LENGTHS):
        if length == 0:
            assert not vectors[row].any()
            continue
        for direction in range(last_layer):
            half = slice(direction * HIDDEN_SIZE, (direction + 1) * HIDDEN_SIZE)
            backward = direction == 1 or name.startswith("augmented")  # go_forward is False
            step = 0 if backward else length - 1
            assert torch.equal(vectors[row, half], outputs[row, step, half])


@each_encoder
def test_no_mask_is_a_mask_of_ones(name):
    encoder = new_encoder(name)
    inputs, mask = ragged_batch([4, 4], total_steps=4)
    assert torch.equal(encoder(inputs, None), encoder(inputs, mask))


@each_encoder
def test_an_empty_row_is_zero_whatever_its_initial_state(name):
    encoder = new_encoder(name)
    inputs, mask = ragged_batch(LENGTHS, total_steps=5)
    vectors = encoder(inputs, mask, initial_state(encoder, batch_size=4))
    assert not vectors[1].any() and vectors[[0, 2, 3]].all()


@each_encoder
def test_every_parameter_gets_a_gradient(name):
    encoder = new_encoder(name)
    inputs, mask = ragged_batch(LENGTHS, total_steps=5)
    encoder(inputs, mask).pow(2).sum().backward()
    for parameter_name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), parameter_name


@each_encoder
def test_a_bad_mask_is_named(name):
    inputs, mask = ragged_batch([3, 2], total_steps=3)
    with pytest.raises(ConfigurationError, match="mask: shape must be"):
        new_encoder(name)(inputs, mask.t())


@pytest.mark.parametrize("family", STOCK_FAMILIES)
@pytest.mark.parametrize("key", ABLATIONS)
def test_takes_the_parameters_of_the_stock_encoder(family, key):
    stock = inspect.signature(Seq2VecEncoder.by_name(family).__init__).parameters
    ours = dict(inspect.signature(Seq2VecEncoder.by_name(f"{family}_{key}").__init__).parameters)
    assert (ours.pop("projection_size", None) is not None) == (family == "lstm")
    assert {name: one.default for name, one in ours.items()} == {
        name: one.default for name, one in stock.items()
    }


# The stock "augmented_lstm" has no output dimension and fails in its forward pass.
@pytest.mark.parametrize("family", [one for one in STOCK_FAMILIES if one != "augmented_lstm"])
def test_full_equals_the_stock_encoder(family):
    options = {"input_size": INPUT_SIZE, "hidden_size": HIDDEN_SIZE, **FAMILIES[family]}
    stock = Seq2VecEncoder.from_params(Params({"type": family, **options})).double()
    ours = new_encoder(f"{family}_full")
    convert = getattr(ours._module, "from_torch" if family == "lstm" else "from_stock")
    ours._module = convert(stock._module)
    inputs, mask = ragged_batch(LENGTHS, total_steps=7)
    torch.testing.assert_close(ours(inputs, mask), stock(inputs, mask), rtol=0, atol=1e-10)
