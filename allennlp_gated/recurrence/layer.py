"""
What the faster paths share: one call of a layer as a flat list of tensors, which is the form that
autograd functions take, and their double backward.
"""

from contextlib import nullcontext
from typing import ContextManager, List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence import reference
from allennlp_gated.recurrence.direction import Direction

OptionalTensor = Optional[torch.Tensor]

# The tensors of a `Direction`, in its order; what follows them is not a tensor.
TENSORS = Direction._fields[:-1]


class Layer(NamedTuple):
    """
    What a call is about besides its differentiable tensors.

    # Parameters

    ablation : `Ablation`
        Which equations to compute.
    highway : `bool`
        Whether there is a highway connection.
    lengths : `Optional[torch.Tensor]`
        Steps of each row, shape (B,); `None` means T for all.
    reverse : `Tuple[bool, ...]`
        Of each direction, whether it runs backwards.
    """

    ablation: Ablation
    highway: bool
    lengths: OptionalTensor
    reverse: Tuple[bool, ...]


def flatten(directions: Sequence[Direction]) -> List[OptionalTensor]:
    """
    # Parameters

    directions : `Sequence[Direction]`
        The directions of a layer.

    # Returns

    `List[Optional[torch.Tensor]]`
        Their tensors, one direction after the other.
    """
    tensors: List[OptionalTensor] = []
    for direction in directions:
        tensors.extend(getattr(direction, name) for name in TENSORS)
    return tensors


def unflatten(tensors: Sequence[OptionalTensor], reverse: Sequence[bool]) -> List[Direction]:
    """
    # Parameters

    tensors : `Sequence[Optional[torch.Tensor]]`
        What `flatten` returned, or tensors in the places of those.
    reverse : `Sequence[bool]`
        Of each direction, whether it runs backwards.

    # Returns

    `List[Direction]`
        The directions.
    """
    size = len(TENSORS)
    return [
        Direction(*tensors[d * size : (d + 1) * size], reverse=backwards)  # type: ignore
        for d, backwards in enumerate(reverse)
    ]


def to_one_dtype(
    inputs: torch.Tensor, tensors: Sequence[OptionalTensor]
) -> Tuple[torch.Tensor, List[OptionalTensor]]:
    """
    # Parameters

    inputs : `torch.Tensor`
        Shape (T, B, I).
    tensors : `Sequence[Optional[torch.Tensor]]`
        The directions' tensors, as `flatten` gives them.

    # Returns

    `Tuple[torch.Tensor, List[Optional[torch.Tensor]]]`
        The same in the dtype that promotion gives to all of them together.
    """
    dtype = inputs.dtype
    for tensor in tensors:
        if tensor is not None and tensor.dtype != dtype:
            dtype = torch.promote_types(dtype, tensor.dtype)
    return inputs.to(dtype), [None if one is None else one.to(dtype) for one in tensors]


def without_autocast(device: torch.device) -> ContextManager[None]:
    """
    # Parameters

    device : `torch.device`
        Where the computation runs.

    # Returns

    `ContextManager[None]`
        Within it, autocast leaves the dtypes as they are.
    """
    try:
        return torch.autocast(device.type, enabled=False)
    except RuntimeError:
        return nullcontext()  # This kind of device has no autocast.


def through_reference(
    layer: Layer,
    inputs: torch.Tensor,
    tensors: Sequence[OptionalTensor],
    grads: Sequence[OptionalTensor],
    wanted: Sequence[bool],
) -> List[OptionalTensor]:
    """
    Gradients that can be differentiated again, by differentiating the reference.

    # Parameters

    layer : `Layer`
        What the call was about.
    inputs : `torch.Tensor`
        Shape (T, B, I).
    tensors : `Sequence[Optional[torch.Tensor]]`
        The directions' tensors, as `flatten` gives them.
    grads : `Sequence[Optional[torch.Tensor]]`
        The gradients of the outputs and of the final states, hidden and memory cell in turn.
    wanted : `Sequence[bool]`
        Of the inputs and then of each tensor, whether a gradient is wanted.

    # Returns

    `List[Optional[torch.Tensor]]`
        Those gradients.
    """
    # Views, so that a tensor that is given twice gets each of its two gradients and not their sum.
    copies = [None if one is None else one.view_as(one) for one in (inputs, *tensors)]
    assert copies[0] is not None
    outputs, states = reference.run_layer(
        layer.ablation,
        copies[0],
        layer.lengths,
        unflatten(copies[1:], layer.reverse),
        layer.highway,
    )
    results: List[OptionalTensor] = [outputs]
    for state in states:
        results.extend(state)
    pairs = [
        (result, grad)
        for result, grad in zip(results, grads)
        if result is not None and grad is not None and result.requires_grad
    ]
    found: List[OptionalTensor] = [None] * len(copies)
    places = [i for i, copy in enumerate(copies) if copy is not None and wanted[i]]
    if pairs:
        some = torch.autograd.grad(
            [result for result, _ in pairs],
            [one for one in (copies[i] for i in places) if one is not None],
            [grad for _, grad in pairs],
            create_graph=True,
            allow_unused=True,
        )
        for place, grad in zip(places, some):
            found[place] = grad
    return found
