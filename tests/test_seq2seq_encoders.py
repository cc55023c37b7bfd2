import inspect

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules.seq2seq_encoders.seq2seq_encoder import Seq2SeqEncoder

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.registration import STOCK_FAMILIES
from tests.common import (
    ENCODER_NAMES,
    FAMILIES,
    HIDDEN_SIZE,
    INPUT_SIZE,
    family_and_key,
    initial_state,
    new_encoder,
    ragged_batch,
)

LENGTHS = [3, 0, 5, 1]
each_encoder = pytest.mark.parametrize("name", ENCODER_NAMES)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(11)


@each_encoder
def test_rows_do_not_depend_on_order_padding_or_neighbours(name):
    encoder = new_encoder(name)
    # Unsorted, with an empty row, and padded beyond the longest.
    inputs, mask = ragged_batch(LENGTHS, total_steps=7)
    outputs = encoder(inputs, mask)
    assert outputs.shape == (4, 7, encoder.get_output_dim())
    for row, length in enumerate(LENGTHS):
        assert not outputs[row, length:].any()
        if length:
            alone = encoder(inputs[row : row + 1, :length], None)
            torch.testing.assert_close(outputs[row, :length], alone[0], rtol=0, atol=1e-12)


@each_encoder
def test_a_batch_of_empty_rows_gives_zeros(name):
    inputs, mask = ragged_batch([0, 0], total_steps=3)
    outputs = new_encoder(name)(inputs, mask)
    assert outputs.shape[:2] == (2, 3) and not outputs.any()


@each_encoder
def test_no_mask_is_a_mask_of_ones(name):
    encoder = new_encoder(name)
    inputs, mask = ragged_batch([4, 4], total_steps=4)
    assert torch.equal(encoder(inputs, None), encoder(inputs, mask))


@each_encoder
def test_dimensions_and_direction(name):
    encoder = new_encoder(name)
    family, _ = family_and_key(name)
    bidirectional = family in ("lstm", "stacked_bidirectional_lstm", "independent_lstm")
    assert encoder.is_bidirectional() is bidirectional
    assert encoder.get_input_dim() == INPUT_SIZE
    assert encoder.get_output_dim() == HIDDEN_SIZE * (2 if bidirectional else 1)


@each_encoder
def test_every_parameter_and_state_gets_a_gradient(name):
    encoder = new_encoder(name)
    encoder.eval()  # backward works in eval mode too
    inputs, mask = ragged_batch(LENGTHS, total_steps=5)
    state = initial_state(encoder, batch_size=4)
    encoder(inputs, mask, state).pow(2).sum().backward()
    for parameter_name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all() and parameter.grad.any(), parameter_name
    # The hidden state before the first step is not seen where nothing sees h.
    seen = state if encoder._module.ablation.sees_hidden else state[1:]
    for one in seen:
        assert one.grad.isfinite().all() and one.grad.any()
        assert not one.grad[:, 1].any()  # the empty row


@each_encoder
def test_double_backward(name):
    encoder = new_encoder(name)
    inputs, mask = ragged_batch([3, 2], total_steps=3)
    inputs = inputs.nan_to_num().requires_grad_()

    def penalty(inputs):
        (gradient,) = torch.autograd.grad(
            encoder(inputs, mask).pow(2).sum(), inputs, create_graph=True
        )
        return gradient.pow(2).sum()

    (second,) = torch.autograd.grad(penalty(inputs), inputs)
    step = 1e-5 * torch.randn_like(inputs)
    difference = penalty(inputs.detach().add(step).requires_grad_())
    difference = difference - penalty(inputs.detach().sub(step).requires_grad_())
    torch.testing.assert_close(difference / 2, (second * step).sum(), rtol=1e-5, atol=1e-12)


@each_encoder
def test_two_calls_in_one_forward_pass(name):
    encoder = new_encoder(name)
    first, first_mask = ragged_batch([2, 4], total_steps=4)
    second, second_mask = ragged_batch([5, 1], total_steps=5)
    encoder(first, first_mask).sum().backward()
    encoder(second, second_mask).sum().backward()
    expected = [parameter.grad.clone() for parameter in encoder.parameters()]
    encoder.zero_grad()
    (encoder(first, first_mask).sum() + encoder(second, second_mask).sum()).backward()
    for parameter, gradient in zip(encoder.parameters(), expected):
        torch.testing.assert_close(parameter.grad, gradient, rtol=0, atol=1e-12)


@each_encoder
def test_state_is_carried_while_the_batch_grows_and_shrinks(name):
    encoder, stateless = new_encoder(name, stateful=True), new_encoder(name)
    stateless.load_state_dict(encoder.state_dict())
    module = stateless._module
    count = module.num_layers * module.num_directions
    # The states that each row should have, kept by hand.
    kept = [torch.zeros(count, 6, HIDDEN_SIZE).double() for _ in module.ablation.state_names]
    for lengths in ([3, 1, 4], [2, 0, 3, 5, 1], [4, 2], [0, 0, 2], [1, 1, 1, 1, 1, 1]):
        inputs, mask = ragged_batch(lengths, total_steps=5)
        batch_size = len(lengths)
        before = [one[:, :batch_size] for one in kept]
        outputs = encoder(inputs, mask)
        expected, final = module(inputs, before, torch.tensor(lengths))
        torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)
        for one, new in zip(kept, [final] if isinstance(final, torch.Tensor) else final):
            one[:, :batch_size] = new.detach()
        for one, state in zip(kept, encoder._states):
            assert not state.requires_grad
            torch.testing.assert_close(state, one[:, : state.shape[1]], rtol=0, atol=1e-12)

    encoder.reset_states(torch.tensor([True, False, True, True, True, True]))
    for one, state in zip(kept, encoder._states):
        torch.testing.assert_close(state[:, 1], one[:, 1])
        assert not state[:, 2:].any()
    encoder.reset_states()
    assert encoder._states is None


@each_encoder
def test_final_states_of_shorter_rows_have_gradients(name):
    module = new_encoder(name)._module
    inputs = torch.randn(2, 5, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    _, final = module(inputs, None, torch.tensor([5, 2]))
    final = [final] if isinstance(final, torch.Tensor) else final
    sum(one[:, 1].pow(2).sum() for one in final).backward()
    assert inputs.grad[1, :2].any() and not inputs.grad[1, 2:].any()


@each_encoder
def test_stock_regexes_do_not_catch_its_parameters(name):
    for parameter_name, _ in new_encoder(name).named_parameters():
        for word in ("bias_hh", "projection", "feedforward", "linear_layers"):
            assert word not in parameter_name


@each_encoder
def test_saves_and_loads(name, tmp_path):
    encoder, again = new_encoder(name), new_encoder(name)
    torch.save(encoder.state_dict(), tmp_path / "weights.th")
    again.load_state_dict(torch.load(tmp_path / "weights.th"))
    inputs, mask = ragged_batch(LENGTHS, total_steps=5)
    assert torch.equal(encoder(inputs, mask), again(inputs, mask))


@each_encoder
def test_a_bad_mask_is_named(name):
    inputs, mask = ragged_batch([3, 2], total_steps=3)
    with pytest.raises(ConfigurationError, match=r"mask: shape must be .*\(2, 3\).*not \(2, 2\)"):
        new_encoder(name)(inputs, mask[:, :2])


@each_encoder
def test_a_bad_initial_state_is_named(name):
    encoder = new_encoder(name)
    inputs, mask = ragged_batch([3, 2], total_steps=3)
    state = [one[:, :, :-1] for one in initial_state(encoder, batch_size=2)]
    with pytest.raises(ConfigurationError, match="hidden_state: the hidden must have shape"):
        encoder(inputs, mask, state)


@each_encoder
def test_a_stateful_encoder_wants_a_mask_and_no_state(name):
    encoder = new_encoder(name, stateful=True)
    inputs, mask = ragged_batch([3, 2], total_steps=3)
    with pytest.raises(ValueError, match="mask: always pass a mask"):
        encoder(inputs, None)
    with pytest.raises(ValueError, match="hidden_state: a stateful encoder provides its own"):
        encoder(inputs, mask, initial_state(encoder, batch_size=2))


@pytest.mark.parametrize("family", STOCK_FAMILIES)
@pytest.mark.parametrize("key", ABLATIONS)
def test_takes_the_parameters_of_the_stock_encoder(family, key):
    stock = inspect.signature(Seq2SeqEncoder.by_name(family).__init__).parameters
    ours = dict(inspect.signature(Seq2SeqEncoder.by_name(f"{family}_{key}").__init__).parameters)
    extra = ours.pop("projection_size", None)
    assert (extra is not None) == (family == "lstm")
    assert list(ours) == list(stock)
    for name, parameter in stock.items():
        assert ours[name].default == parameter.default
        assert ours[name].annotation == parameter.annotation


@pytest.mark.parametrize("family", STOCK_FAMILIES)
def test_full_equals_the_stock_encoder(family):
    options = {"input_size": INPUT_SIZE, "hidden_size": HIDDEN_SIZE, **FAMILIES[family]}
    stock = Seq2SeqEncoder.from_params(Params({"type": family, **options})).double()
    ours = new_encoder(f"{family}_full")
    ours._module = (
        type(ours._module).from_torch(stock._module)
        if family == "lstm"
        else (type(ours._module).from_stock(stock._module))
    )
    inputs, mask = ragged_batch(LENGTHS, total_steps=7)
    torch.testing.assert_close(ours(inputs, mask), stock(inputs, mask), rtol=0, atol=1e-10)


@pytest.mark.parametrize("key", ABLATIONS)
def test_a_qualified_name_finds_the_class(key):
    words = "".join(word.capitalize() for word in key.split("_"))
    name = f"allennlp_gated.seq2seq_encoders.Lstm{words}Seq2SeqEncoder"
    params = Params({"type": name, "input_size": 3, "hidden_size": 4})
    assert type(Seq2SeqEncoder.from_params(params)) is Seq2SeqEncoder.by_name(f"lstm_{key}")


def test_an_unknown_name_or_parameter_is_named():
    with pytest.raises(ConfigurationError, match="lstm_no_such not in acceptable choices"):
        Seq2SeqEncoder.from_params(Params({"type": "lstm_no_such"}))
    params = Params({"type": "lstm_no_gates", "input_size": 3, "hidden_size": 4, "layers": 2})
    with pytest.raises(ConfigurationError, match="layers"):
        Seq2SeqEncoder.from_params(params)
    params = Params({"type": "lstm_no_gates", "input_size": 3, "hidden_size": -1})
    with pytest.raises(ConfigurationError, match="hidden_size: must be an integer of at least 1"):
        Seq2SeqEncoder.from_params(params)
