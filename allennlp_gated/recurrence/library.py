"""
PyTorch's own LSTM and RNN kernels (cuDNN's on CUDA), for the layers that are exactly theirs.

Every operation here runs on any device. Where our compiled kernels run they are faster, so this
path is for the other devices; see `backends.py`.
"""

import warnings
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence import batched
from allennlp_gated.recurrence.direction import Direction, State
from allennlp_gated.recurrence.layer import (
    Layer,
    OptionalTensor,
    flatten,
    through_reference,
    to_one_dtype,
    unflatten,
    without_autocast,
)


def why_not(ablation: Ablation, directions: Sequence[Direction], highway: bool) -> Optional[str]:
    """
    # Parameters

    ablation : `Ablation`
        Which equations to compute.
    directions : `Sequence[Direction]`
        The directions of a layer.
    highway : `bool`
        Whether there is a highway connection.

    # Returns

    `Optional[str]`
        Why PyTorch's kernels cannot compute this layer, or `None` if they can.
    """
    layout = ablation.layout
    if not layout.input_blocks == layout.hidden_blocks == layout.bias_blocks:
        return f"PyTorch has no kernel for {ablation.key}"
    if highway:
        return "PyTorch's kernels have no highway connection"
    for direction in directions:
        if direction.hidden_dropout_mask is not None:
            return "PyTorch's kernels have no dropout between steps"
        weight_hr = direction.weight_hr
        if weight_hr is None:
            continue
        if not ablation.has_memory_cell:
            return "PyTorch's RNN kernel has no projection"
        if weight_hr.shape[0] == weight_hr.shape[1]:
            return "PyTorch's LSTM kernel has no projection to as many features"
    return None


def run_layer(
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: OptionalTensor,
    directions: Sequence[Direction],
    highway: bool = False,
) -> Tuple[torch.Tensor, List[State]]:
    """
    `reference.run_layer`, with the same parameters and results, for the layers for which `why_not`
    has no reason.
    """
    total_steps, batch_size, _ = inputs.shape
    if lengths is not None:
        # On the CPU because that is where packing wants them.
        lengths = lengths.detach().to("cpu", torch.int64).clamp(0, total_steps)
    if not batch_size or not (total_steps if lengths is None else int(lengths.max())):
        # PyTorch's kernels want a step.
        return batched.run_layer(ablation, inputs, lengths, directions, highway)
    layer = Layer(ablation, highway, lengths, tuple(one.reverse for one in directions))
    inputs, tensors = to_one_dtype(inputs, flatten(directions))
    differentiate = torch.is_grad_enabled() and any(
        one is not None and one.requires_grad for one in (inputs, *tensors)
    )
    with without_autocast(inputs.device):
        if differentiate:
            results = _LibraryLayer.apply(layer, inputs, *tensors)
        else:
            results = _forward(layer, inputs, tensors)
    return results[0], [State(*results[i : i + 2]) for i in range(1, len(results), 2)]


class _Rows(NamedTuple):
    """The rows that have steps, the longest first."""

    order: torch.Tensor
    lengths: torch.Tensor


def _forward(
    layer: Layer, inputs: torch.Tensor, tensors: Sequence[OptionalTensor]
) -> List[OptionalTensor]:
    directions = unflatten(tensors, layer.reverse)
    rows = None
    if layer.lengths is not None and bool((layer.lengths < inputs.shape[0]).any()):
        order = layer.lengths.argsort(descending=True)[: int((layer.lengths > 0).sum())]
        rows = _Rows(order.to(inputs.device), layer.lengths[order])
    if layer.reverse in ((False,), (False, True)):
        outputs, states = _run_kernel(layer.ablation, inputs, rows, directions)
        return [outputs, *(one for state in states for one in state)]
    # The kernels have no backward direction of its own: a forward one reads the rows backwards.
    all_outputs: List[torch.Tensor] = []
    results: List[OptionalTensor] = []
    for direction in directions:
        its_inputs = _reversed(inputs, layer.lengths) if direction.reverse else inputs
        outputs, (state,) = _run_kernel(layer.ablation, its_inputs, rows, [direction])
        all_outputs.append(_reversed(outputs, layer.lengths) if direction.reverse else outputs)
        results += state
    return [torch.cat(all_outputs, -1), *results]


def _reversed(sequence: torch.Tensor, lengths: OptionalTensor) -> torch.Tensor:
    """Each row's steps from its last to its first, the padding where it is."""
    if lengths is None:
        return sequence.flip(0)
    steps = torch.arange(sequence.shape[0]).unsqueeze(1)
    # shape: (T, B, 1)
    index = torch.where(steps < lengths, lengths - 1 - steps, steps).unsqueeze(-1)
    return sequence.gather(0, index.to(sequence.device).expand_as(sequence))


def _run_kernel(
    ablation: Ablation,
    inputs: torch.Tensor,
    rows: Optional[_Rows],
    directions: Sequence[Direction],
) -> Tuple[torch.Tensor, List[State]]:
    """The directions that one call of a kernel computes: the forward one, and the backward one."""
    total_steps, batch_size, _ = inputs.shape
    weights, has_biases = _weights(directions)
    hidden_size = directions[0].weight_ih.shape[0] // len(ablation.layout.input_blocks)
    weight_hr = directions[0].weight_hr
    recurrent_size = hidden_size if weight_hr is None else weight_hr.shape[0]

    def initial(states: Sequence[OptionalTensor], features: int) -> torch.Tensor:
        zeros = inputs.new_zeros(batch_size, features)
        return torch.stack([zeros if one is None else one for one in states])

    # Each of shape (D, B, features).
    before = [initial([one.hidden_0 for one in directions], recurrent_size)]
    if ablation.has_memory_cell:
        before.append(initial([one.memory_cell_0 for one in directions], hidden_size))

    states = before
    sequence: Tuple[torch.Tensor, ...] = (inputs,)
    if rows is not None:
        states = [one.index_select(1, rows.order) for one in before]
        packed = pack_padded_sequence(inputs.index_select(1, rows.order), rows.lengths)
        sequence = packed.data, packed.batch_sizes
    options: List[Any] = [
        *[weights, has_biases],
        *[1, 0.0],  # one layer, no dropout
        torch.is_grad_enabled(),  # "training": cuDNN has no backward pass without
        len(directions) == 2,
    ]
    if rows is None:
        options.append(False)  # the batch does not come first
    kernel: Any = torch._VF.lstm if ablation.has_memory_cell else torch._VF.rnn_tanh
    first, rest = sequence[0], sequence[1:]
    with warnings.catch_warnings():
        # cuDNN wants the weights in one piece of memory and advises a call that modules have. A
        # layer with one bias has them in no such piece.
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")
        results = kernel(
            first, *rest, tuple(states) if ablation.has_memory_cell else states[0], *options
        )
    outputs, after = results[0], list(results[1:])

    if rows is not None:
        packed = packed._replace(data=outputs)
        outputs, _ = pad_packed_sequence(packed, total_length=total_steps)
        zeros = outputs.new_zeros(total_steps, batch_size, outputs.shape[-1])
        outputs = zeros.index_copy(1, rows.order, outputs)
        # A row without steps ends in the state that it began with.
        after = [old.index_copy(1, rows.order, new) for old, new in zip(before, after)]
    return outputs, [
        State(after[0][d], after[1][d] if ablation.has_memory_cell else None)
        for d in range(len(directions))
    ]


def _weights(directions: Sequence[Direction]) -> Tuple[List[torch.Tensor], bool]:
    """What the kernels call the flat weights, and whether biases are among them."""
    has_biases = any(one.bias is not None for one in directions)
    weights: List[torch.Tensor] = []
    for one in directions:
        assert one.weight_hh is not None
        weights += [one.weight_ih, one.weight_hh]
        if has_biases:
            # The kernels have a second bias, that of W_hh h.
            zeros = one.weight_ih.new_zeros(one.weight_ih.shape[0])
            weights += [zeros if one.bias is None else one.bias, zeros]
        if one.weight_hr is not None:
            weights.append(one.weight_hr)
    return weights, has_biases


class _Kept(NamedTuple):
    """A forward pass that autograd recorded."""

    leaves: List[OptionalTensor]
    results: List[OptionalTensor]


def _record(
    layer: Layer, wanted: Sequence[bool], inputs: torch.Tensor, tensors: Sequence[OptionalTensor]
) -> _Kept:
    leaves: List[OptionalTensor] = [
        None if one is None else one.detach().requires_grad_(want)
        for one, want in zip((inputs, *tensors), wanted)
    ]
    assert leaves[0] is not None
    with torch.enable_grad(), without_autocast(inputs.device):
        return _Kept(leaves, _forward(layer, leaves[0], leaves[1:]))


class _LibraryLayer(torch.autograd.Function):
    """
    `_forward` with the gradients that PyTorch has for its kernels, and double backward, which it
    does not have, through the reference.
    """

    @staticmethod
    def forward(
        ctx: Any, layer: Layer, inputs: torch.Tensor, *tensors: OptionalTensor
    ) -> Tuple[OptionalTensor, ...]:
        kept = _record(layer, ctx.needs_input_grad[1:], inputs, tensors)
        ctx.layer, ctx.kept = layer, [kept]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, *tensors)
        return tuple(None if one is None else one.detach() for one in kept.results)

    @staticmethod
    def backward(ctx: Any, *grads: OptionalTensor) -> Tuple[OptionalTensor, ...]:
        inputs, *tensors = ctx.saved_tensors
        wanted = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():
            return (None, *through_reference(ctx.layer, inputs, tensors, grads, wanted))
        # The first backward pass frees the record; a second one has to make it again.
        kept = ctx.kept.pop() if ctx.kept else _record(ctx.layer, wanted, inputs, tensors)
        pairs = [
            (result, grad)
            for result, grad in zip(kept.results, grads)
            if result is not None and grad is not None and result.requires_grad
        ]
        found: List[OptionalTensor] = [None] * len(kept.leaves)
        places = [i for i, one in enumerate(kept.leaves) if one is not None and one.requires_grad]
        if pairs:
            some = torch.autograd.grad(
                [result for result, _ in pairs],
                [one for one in (kept.leaves[i] for i in places) if one is not None],
                [grad for _, grad in pairs],
                allow_unused=True,
            )
            for place, grad in zip(places, some):
                found[place] = grad
        return (None, *found)
