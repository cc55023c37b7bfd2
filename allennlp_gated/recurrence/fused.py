"""
The compiled path: a whole layer, both directions together, with hand-derived gradients.

Here are the tensors, the autograd function and the hand-over; the arithmetic is in `csrc`.
"""

import ctypes
from functools import lru_cache
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence import native
from allennlp_gated.recurrence.direction import Direction, State
from allennlp_gated.recurrence.layer import (
    TENSORS,
    Layer,
    OptionalTensor,
    flatten,
    through_reference,
)
from allennlp_gated.recurrence.workspace import Buffer


class FusedLayer(NamedTuple):
    """
    What a call is about besides its tensors.

    # Parameters

    shared : `Layer`
        What every path needs to know; its lengths are int64 on the CPU.
    valid_steps : `int`
        The sum of the lengths, N.
    kernels : `native.Kernels`
        The compiled kernels.
    isa : `int`
        Which of `native.INSTRUCTION_SETS` to use.
    """

    shared: Layer
    valid_steps: int
    kernels: native.Kernels
    isa: int


def run_layer(
    kernels: native.Kernels,
    instruction_set: str,
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: OptionalTensor,
    directions: Sequence[Direction],
    highway: bool = False,
) -> Tuple[torch.Tensor, List[State]]:
    """
    `reference.run_layer`, by the compiled kernels: CPU tensors, one or two directions, dropout
    masks that need no gradient.

    # Parameters

    kernels : `native.Kernels`
        The loaded binary.
    instruction_set : `str`
        One of `native.INSTRUCTION_SETS` that it supports.

    The others are those of `reference.run_layer`.

    # Returns

    `Tuple[torch.Tensor, List[State]]`
        As `reference.run_layer`. The computation is in float32, or in float64 if any tensor is.
    """
    total_steps, batch_size, _ = inputs.shape
    valid_steps = total_steps * batch_size
    if lengths is not None:
        lengths = lengths.detach().to("cpu", torch.int64).clamp(0, total_steps).contiguous()
        valid_steps = int(lengths.sum())
    shared = Layer(ablation, highway, lengths, tuple(one.reverse for one in directions))
    layer = FusedLayer(shared, valid_steps, kernels, native.INSTRUCTION_SETS.index(instruction_set))
    tensors = flatten(directions)
    result_type = inputs.dtype
    for tensor in tensors:
        if tensor is not None and tensor.dtype != result_type:
            result_type = torch.promote_types(result_type, tensor.dtype)
    dtype = torch.float64 if result_type == torch.float64 else torch.float32
    # Asking costs less than converting to what a tensor is already, many times in a decoder's step.
    tensors = [
        None if one is None else (one if one.dtype == dtype else one.to(dtype)).contiguous()
        for one in tensors
    ]
    inputs = inputs.to(dtype)
    if inputs.stride(-1) != 1:
        inputs = inputs.contiguous()

    differentiate = torch.is_grad_enabled() and (
        inputs.requires_grad or any(one is not None and one.requires_grad for one in tensors)
    )
    if differentiate:
        results = _FusedLayer.apply(layer, inputs, *tensors)
    else:
        results, _ = _forward(layer, inputs, tensors, keep=False)
    if result_type != dtype:
        results = tuple(None if one is None else one.to(result_type) for one in results)
    return results[0], [State(*results[i : i + 2]) for i in range(1, len(results), 2)]


@lru_cache(maxsize=None)
def _blocks(ablation: Ablation, highway: bool) -> Tuple[Tuple[int, ...], ...]:
    """Of each matrix, the index of each block that the kernels know, -1 where there is none."""
    layout = ablation.layout_with(highway)
    return tuple(
        tuple(blocks.index(block) if block in blocks else -1 for block in native.BLOCKS)
        for blocks in (layout.input_blocks, layout.hidden_blocks, layout.bias_blocks)
    )


def _address(tensor: OptionalTensor) -> Optional[int]:
    return None if tensor is None else tensor.data_ptr()


class _Kept:
    """What the forward pass leaves for the backward pass, in one buffer."""

    def __init__(self, layer: FusedLayer, struct: native.LayerStruct) -> None:
        element = 8 if struct.is_double else 4
        layout = layer.shared.ablation.layout_with(layer.shared.highway)
        columns = len(layout.input_blocks) * struct.hidden_size
        gates = -(-element * layer.valid_steps * columns // 64) * 64
        cells = 0
        if struct.keep and layer.shared.ablation.has_memory_cell:
            cells = -(-element * layer.valid_steps * struct.hidden_size // 64) * 64
        self._buffer = Buffer(struct.num_directions * (gates + cells))
        self._sizes = gates, cells

    def hand_over(self, struct: native.LayerStruct) -> None:
        """Puts the addresses where the kernels look for them."""
        gates, cells = self._sizes
        address = self._buffer.address
        for direction in range(struct.num_directions):
            struct.directions[direction].gates = address
            struct.directions[direction].memory_cells = address + gates if cells else None
            address += gates + cells


def _describe(
    layer: FusedLayer, inputs: torch.Tensor, tensors: Sequence[OptionalTensor]
) -> native.LayerStruct:
    """All that both passes hand over."""
    struct = native.LayerStruct()
    struct.is_double = inputs.dtype == torch.float64
    struct.isa = layer.isa
    struct.threads = torch.get_num_threads()
    struct.own_threads = layer.kernels.forked
    struct.steps, struct.batch_size, struct.input_size = inputs.shape
    struct.num_directions = len(layer.shared.reverse)
    struct.valid_steps = layer.valid_steps
    struct.input_block, struct.hidden_block, struct.bias_block = _blocks(
        layer.shared.ablation, layer.shared.highway
    )
    struct.lengths = _address(layer.shared.lengths)
    struct.inputs = inputs.data_ptr()
    struct.inputs_stride_t, struct.inputs_stride_b, _ = inputs.stride()
    for d, reverse in enumerate(layer.shared.reverse):
        direction = struct.directions[d]
        direction.reverse = reverse
        mine = tensors[d * len(TENSORS) : (d + 1) * len(TENSORS)]
        for name, tensor in zip(TENSORS, mine):
            if tensor is not None:
                setattr(direction, name, tensor.data_ptr())
    weight_ih, weight_hr = tensors[0], tensors[TENSORS.index("weight_hr")]
    assert weight_ih is not None
    blocks = len(layer.shared.ablation.layout_with(layer.shared.highway).input_blocks)
    struct.hidden_size = weight_ih.shape[0] // blocks
    struct.recurrent_size = struct.hidden_size if weight_hr is None else weight_hr.shape[0]
    return struct


def _empty_like_layout(inputs: torch.Tensor, features: int) -> torch.Tensor:
    """An uninitialised (T, B, features) whose memory is batch-first where that of `inputs` is."""
    total_steps, batch_size, _ = inputs.shape
    if inputs.stride(1) > inputs.stride(0):
        return inputs.new_empty(batch_size, total_steps, features).transpose(0, 1)
    return inputs.new_empty(total_steps, batch_size, features)


def _forward(
    layer: FusedLayer, inputs: torch.Tensor, tensors: Sequence[OptionalTensor], keep: bool
) -> Tuple[Tuple[OptionalTensor, ...], _Kept]:
    struct = _describe(layer, inputs, tensors)
    struct.keep = keep
    kept = _Kept(layer, struct)
    kept.hand_over(struct)
    outputs = _empty_like_layout(inputs, struct.num_directions * struct.recurrent_size)
    struct.outputs = outputs.data_ptr()
    struct.outputs_stride_t, struct.outputs_stride_b, _ = outputs.stride()
    results: List[OptionalTensor] = [outputs]
    for d in range(struct.num_directions):
        hidden = inputs.new_empty(struct.batch_size, struct.recurrent_size)
        memory_cell = None
        if layer.shared.ablation.has_memory_cell:
            memory_cell = inputs.new_empty(struct.batch_size, struct.hidden_size)
        struct.directions[d].final_hidden = hidden.data_ptr()
        struct.directions[d].final_memory_cell = _address(memory_cell)
        results += [hidden, memory_cell]
    scratch = Buffer(layer.kernels.scratch(ctypes.byref(struct), False))
    struct.scratch = scratch.address
    layer.kernels.forward(ctypes.byref(struct))
    return tuple(results), kept


def _backward(
    layer: FusedLayer,
    kept: _Kept,
    inputs: torch.Tensor,
    outputs: torch.Tensor,
    tensors: Sequence[OptionalTensor],
    grads: Sequence[OptionalTensor],
    wanted: Sequence[bool],
) -> List[OptionalTensor]:
    struct = _describe(layer, inputs, tensors)
    kept.hand_over(struct)
    struct.outputs = outputs.data_ptr()
    struct.outputs_stride_t, struct.outputs_stride_b, _ = outputs.stride()

    alive: List[OptionalTensor] = []  # A pointer keeps no tensor alive.
    grad_outputs = grads[0]
    if grad_outputs is not None:
        if grad_outputs.stride(-1) != 1 and grad_outputs.shape[-1] != 1:
            grad_outputs = grad_outputs.contiguous()
        alive.append(grad_outputs)
        struct.grad_outputs = grad_outputs.data_ptr()
        strides = grad_outputs.stride()
        struct.grad_outputs_stride_t, struct.grad_outputs_stride_b, _ = strides
    grad_inputs = None
    if wanted[0]:
        grad_inputs = _empty_like_layout(inputs, struct.input_size)
        struct.grad_inputs = grad_inputs.data_ptr()
        struct.grad_inputs_stride_t, struct.grad_inputs_stride_b, _ = grad_inputs.stride()

    results: List[OptionalTensor] = [grad_inputs]
    for d in range(struct.num_directions):
        direction = struct.directions[d]
        for name, grad in zip(("hidden", "memory_cell"), grads[1 + 2 * d : 3 + 2 * d]):
            if grad is not None:
                grad = grad.contiguous()
                alive.append(grad)
                setattr(direction, "grad_final_" + name, grad.data_ptr())
        first = d * len(TENSORS)
        for i, name in enumerate(TENSORS, first):
            tensor, grad = tensors[i], None
            if tensor is not None and wanted[1 + i]:
                grad = torch.empty_like(tensor)
                setattr(direction, "grad_" + name, grad.data_ptr())
            results.append(grad)
    scratch = Buffer(layer.kernels.scratch(ctypes.byref(struct), True))
    struct.scratch = scratch.address
    layer.kernels.backward(ctypes.byref(struct))
    return results


class _FusedLayer(torch.autograd.Function):
    """`_forward` and `_backward` for autograd."""

    @staticmethod
    def forward(
        ctx: Any, layer: FusedLayer, inputs: torch.Tensor, *tensors: OptionalTensor
    ) -> Tuple[OptionalTensor, ...]:
        results, kept = _forward(layer, inputs, tensors, keep=True)
        ctx.layer = layer
        ctx.kept = [kept]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, results[0], *tensors)
        return results

    @staticmethod
    def backward(ctx: Any, *grads: OptionalTensor) -> Tuple[OptionalTensor, ...]:
        inputs, outputs, *tensors = ctx.saved_tensors
        wanted = ctx.needs_input_grad[1:]
        if all(grad is None for grad in grads):
            return (None,) * (2 + len(tensors))
        if torch.is_grad_enabled():
            # create_graph=True: the gradients themselves must be differentiable.
            return (None, *through_reference(ctx.layer.shared, inputs, tensors, grads, wanted))
        try:
            kept = ctx.kept.pop()
        except IndexError:
            # The first backward pass wrote its gradients over the activations: compute them again.
            _, kept = _forward(ctx.layer, inputs, tensors, keep=True)
        return (None, *_backward(ctx.layer, kept, inputs, outputs, tensors, grads, wanted))
