import pytest
import torch

from allennlp_gated.ablation import ABLATIONS
from tests.common import INPUT_SIZE, new_encoder, ragged_batch

each_key = pytest.mark.parametrize("key", ABLATIONS)


@each_key
@pytest.mark.parametrize("num_layers", [1, 3])
def test_directions_stay_apart_through_all_layers(key, num_layers):
    torch.manual_seed(13)
    encoder = new_encoder(f"independent_lstm_{key}", num_layers=num_layers)
    inputs = torch.randn(1, 6, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    forward, backward = encoder(inputs, None).chunk(2, -1)
    for step in range(6):
        (gradient,) = torch.autograd.grad(forward[0, step].sum(), inputs, retain_graph=True)
        assert gradient[0, : step + 1].all() and not gradient[0, step + 1 :].any()
        (gradient,) = torch.autograd.grad(backward[0, step].sum(), inputs, retain_graph=True)
        assert gradient[0, step:].all() and not gradient[0, :step].any()


@each_key
def test_a_bidirectional_lstm_mixes_them(key):
    """The leak that these stacks are there to avoid: the test above can fail."""
    encoder = new_encoder(f"lstm_{key}", num_layers=2)
    inputs = torch.randn(1, 6, INPUT_SIZE, dtype=torch.float64, requires_grad=True)
    forward, _ = encoder(inputs, None).chunk(2, -1)
    (gradient,) = torch.autograd.grad(forward[0, 2].sum(), inputs)
    assert gradient[0, 3:].any()


@each_key
def test_returns_all_layers_when_asked(key):
    encoder = new_encoder(f"independent_lstm_{key}", num_layers=3)
    inputs, mask = ragged_batch([4, 2], total_steps=5)
    top = encoder(inputs, mask)
    encoder.return_all_layers = True
    layers = encoder(inputs, mask)
    assert encoder.num_layers == len(layers) == 3
    assert torch.equal(layers[-1], top)
    assert len({one.sum().item() for one in layers}) == 3


@each_key
def test_the_states_are_in_the_order_of_a_bidirectional_lstm(key):
    module = new_encoder(f"independent_lstm_{key}", num_layers=2)._module
    inputs = torch.randn(3, 4, INPUT_SIZE, dtype=torch.float64)
    layers, final = module.forward_all_layers(inputs)
    hidden = final if isinstance(final, torch.Tensor) else final[0]
    for layer in range(2):
        assert torch.equal(hidden[2 * layer], layers[layer][:, -1, :4])
        assert torch.equal(hidden[2 * layer + 1], layers[layer][:, 0, 4:])
    # Started from there, each stack goes on from its own states.
    again, _ = module(inputs, final)
    separate, _ = module.forward_lstm(
        inputs, final[0::2] if isinstance(final, torch.Tensor) else [one[0::2] for one in final]
    )
    assert torch.equal(again[..., :4], separate)
