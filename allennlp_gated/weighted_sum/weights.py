"""
Equation 8: the memory cell as a weighted sum of contents,

    c_t = sum_{j<=t} w_j^t * c~_j + (prod_{k<=t} f_k) * c_0,   w_j^t = i_j * prod_{k=j+1..t} f_k.

All weights come from the recurrence w_t^t = i_t, w_j^t = f_t * w_j^{t-1}: products alone. There is
no division and no logarithm, so nothing breaks where gates saturate. Products and sums are made in
float64 and handed back in the dtype of the gates: in float32, 2,000 factors just below 1 would all
round the same way.

Everywhere the first axis is the context word j and the second the current word t. A backward
direction has its weights at j >= t. T steps, B rows, H memory cells.
"""

from typing import Any, Iterator, List, NamedTuple, Tuple

import torch

from allennlp_gated.weighted_sum.parts import Parts


class LargestWeights(NamedTuple):
    """
    The dimensions in which a context word weighs most.

    # Parameters

    values : `torch.Tensor`
        The weights, largest first, shape (T, T, B, count).
    dimensions : `torch.Tensor`
        The memory cells that they belong to, shape (T, T, B, count).
    """

    values: torch.Tensor
    dimensions: torch.Tensor


def weight_norms(parts: Parts) -> torch.Tensor:
    """
    The L2 norms of all weights, in O(T^2 H) time and O(T^2 + T H) memory for each row, also where
    gradients are taken.

    # Parameters

    parts : `Parts`
        The gates.

    # Returns

    `torch.Tensor`
        |w_j^t| at [j, t], shape (T, T, B); zero where j comes after t in the direction's order, and
        past a row's length.
    """
    input_gate, forget_gate = _in_order(parts)
    norms = _WeightNorms.apply(input_gate, forget_gate)
    return _back_in_place(norms, parts).to(parts.input_gate.dtype)


def weights(parts: Parts) -> torch.Tensor:
    """
    All weights in all dimensions. This alone takes O(T^2 H) memory: ask for it only if it is what
    you need.

    # Parameters

    parts : `Parts`
        The gates.

    # Returns

    `torch.Tensor`
        w_j^t at [j, t], shape (T, T, B, H).
    """
    input_gate, forget_gate = _in_order(parts)
    columns: List[torch.Tensor] = []
    for t, running in enumerate(_running_weights(input_gate, forget_gate)):
        after = input_gate.new_zeros((input_gate.shape[0] - t - 1, *input_gate.shape[1:]))
        # Rounded column by column, so that no float64 copy of the whole is ever made.
        columns.append(torch.cat([running, after]).to(parts.input_gate.dtype))
    if not columns:
        return parts.input_gate.new_zeros((0, 0, *input_gate.shape[1:]))
    return _back_in_place(torch.stack(columns, 1), parts)


def weights_at(parts: Parts, step: int) -> torch.Tensor:
    """
    The weights that make up the memory cell of one step.

    # Parameters

    parts : `Parts`
        The gates.
    step : `int`
        The current word t.

    # Returns

    `torch.Tensor`
        w_j^t at [j], shape (T, B, H).
    """
    input_gate, forget_gate = _in_order(parts)
    total_steps = input_gate.shape[0]
    if not 0 <= step < total_steps:
        raise IndexError(f"step: must be from 0 to {total_steps - 1}, not {step}")
    current = total_steps - 1 - step if parts.reverse else step
    at_step = _weights_at(input_gate, forget_gate, current)
    after = at_step.new_zeros((total_steps - current - 1, *at_step.shape[1:]))
    in_order = torch.cat([at_step, after]).to(parts.input_gate.dtype)
    return in_order.flip(0) if parts.reverse else in_order


def largest_weights(parts: Parts, count: int) -> LargestWeights:
    """
    # Parameters

    parts : `Parts`
        The gates.
    count : `int`
        How many dimensions to name for each pair of words; at most H are.

    # Returns

    `LargestWeights`
        For each pair the largest weights and their dimensions, in O(T^2 count) memory.
    """
    with torch.no_grad():
        input_gate, forget_gate = _in_order(parts)
        total_steps, batch_size, hidden_size = input_gate.shape
        count = min(count, hidden_size)
        values = parts.input_gate.new_zeros(total_steps, total_steps, batch_size, count)
        dimensions = torch.zeros_like(values, dtype=torch.long)
        for t, running in enumerate(_running_weights(input_gate, forget_gate)):
            top, dimensions[: t + 1, t] = running.topk(count, dim=-1)
            values[: t + 1, t] = top.to(values.dtype)
        return LargestWeights(_back_in_place(values, parts), _back_in_place(dimensions, parts))


def initial_state_weights(parts: Parts) -> torch.Tensor:
    """
    The weights of the initial memory cell, prod_{k<=t} f_k.

    # Returns

    `torch.Tensor`
        Shape (T, B, H), zero past a row's length.
    """
    return _initial_state_weights(parts).to(parts.forget_gate.dtype)


def weighted_sums(parts: Parts) -> torch.Tensor:
    """
    The right-hand side of equation 8, with the initial state's share: what the memory cell should
    be, computed from the weights and contents alone in O(T^2 H) time.

    # Returns

    `torch.Tensor`
        Shape (T, B, H).
    """
    input_gate, forget_gate = _in_order(parts)
    content = (parts.content.flip(0) if parts.reverse else parts.content).double()
    sums = [
        (running * content[: t + 1]).sum(0)
        for t, running in enumerate(_running_weights(input_gate, forget_gate))
    ]
    if not sums:
        return torch.zeros_like(parts.content)
    from_contents = torch.stack(sums[::-1] if parts.reverse else sums)
    from_initial_state = _initial_state_weights(parts) * parts.memory_cell_0
    return (from_contents + from_initial_state).to(parts.content.dtype)


def _initial_state_weights(parts: Parts) -> torch.Tensor:
    # shape: (T, B, 1)
    alive = parts.mask.unsqueeze(-1)
    _, forget_gate = _in_order(parts)
    if parts.reverse:
        # Padding comes first here: the initial memory cell passes it untouched.
        forget_gate = torch.where(alive.flip(0), forget_gate, torch.ones_like(forget_gate))
    products: List[torch.Tensor] = []
    for gate in forget_gate.unbind(0):
        products.append(gate if not products else gate * products[-1])
    if not products:
        return torch.zeros_like(forget_gate)
    product = torch.stack(products[::-1] if parts.reverse else products)
    return torch.where(alive, product, torch.zeros_like(product))


def _in_order(parts: Parts) -> Tuple[torch.Tensor, torch.Tensor]:
    """The two gates in float64, in the order in which the recurrence meets the steps."""
    input_gate, forget_gate = parts.input_gate.double(), parts.forget_gate.double()
    if parts.reverse:
        return input_gate.flip(0), forget_gate.flip(0)
    return input_gate, forget_gate


def _back_in_place(pairs: torch.Tensor, parts: Parts) -> torch.Tensor:
    """From the recurrence's order to the sentence's, on both axes of words."""
    return pairs.flip(0, 1) if parts.reverse else pairs


def _running_weights(input_gate: torch.Tensor, forget_gate: torch.Tensor) -> Iterator[torch.Tensor]:
    """
    For each t the weights w_j^t of j = 0..t, shape (t + 1, B, H). Without gradients they share one
    buffer, so each must be used before the next is asked for.
    """
    if torch.is_grad_enabled() and (input_gate.requires_grad or forget_gate.requires_grad):
        running = input_gate[:0]
        for t in range(input_gate.shape[0]):
            running = torch.cat([running * forget_gate[t], input_gate[t : t + 1]])
            yield running
    else:
        buffer = torch.empty_like(input_gate)
        for t in range(input_gate.shape[0]):
            buffer[:t] *= forget_gate[t]
            buffer[t] = input_gate[t]
            yield buffer[: t + 1]


def _weights_at(input_gate: torch.Tensor, forget_gate: torch.Tensor, current: int) -> torch.Tensor:
    """The weights w_j^t of j = 0..t for one t alone, shape (t + 1, B, H)."""
    # A product that grows from t down to j, without cumprod: its gradient divides by the factors.
    product = torch.ones_like(input_gate[current])
    backwards = []
    for j in range(current, -1, -1):
        backwards.append(input_gate[j] * product)
        product = product * forget_gate[j]
    return torch.stack(backwards[::-1])


class _WeightNorms(torch.autograd.Function):
    """
    |w_j^t| with gradients that keep no weights: going back, the weights of each t are made again
    from the gates, and the gradient a_j^t of w_j^t follows the adjoint of the recurrence,
    a_j^{t-1} = f_t * a_j^t + (gradient of |w_j^{t-1}|) * w_j^{t-1} / |w_j^{t-1}|.
    """

    @staticmethod
    def forward(ctx: Any, input_gate: torch.Tensor, forget_gate: torch.Tensor) -> torch.Tensor:
        total_steps, batch_size, _ = input_gate.shape
        norms = input_gate.new_zeros(total_steps, total_steps, batch_size)
        for t, running in enumerate(_running_weights(input_gate, forget_gate)):
            norms[: t + 1, t] = torch.linalg.vector_norm(running, dim=-1)
        ctx.save_for_backward(input_gate, forget_gate, norms)
        return norms

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        input_gate, forget_gate, norms = ctx.saved_tensors
        input_gradient = torch.zeros_like(input_gate)
        forget_gradient = torch.zeros_like(forget_gate)
        adjoint = torch.zeros_like(input_gate)
        # The norm has no gradient at a weight of zero: take none.
        scale = torch.where(norms > 0, gradient / norms, torch.zeros_like(norms))
        # shape: (t + 1, B, H)
        running = _suffix_products(forget_gate[1:]) * input_gate
        for t in range(input_gate.shape[0] - 1, -1, -1):
            # What |w_j^t| asks for; the share of later steps is in `adjoint` already.
            adjoint[: t + 1] += scale[: t + 1, t].unsqueeze(-1) * running
            input_gradient[t] = adjoint[t]
            if t > 0:
                running = _suffix_products(forget_gate[1:t]) * input_gate[:t]
                forget_gradient[t] = (adjoint[:t] * running).sum(0)
                adjoint[:t] *= forget_gate[t]
        return input_gradient, forget_gradient


def _suffix_products(gates: torch.Tensor) -> torch.Tensor:
    """prod_{k>=j} of n gates, and 1 after the last: shape (n + 1, B, H)."""
    one = gates.new_ones((1, *gates.shape[1:]))
    return torch.cat([one, gates.flip(0)]).cumprod(0).flip(0)
