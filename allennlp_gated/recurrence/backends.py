"""
Which path a layer takes: the compiled kernels on a CPU; else PyTorch, its own LSTM or RNN kernels
where a layer is exactly that and a loop where it is not; or whichever the environment variable
ALLENNLP_GATED_BACKEND names.
"""

import os
from typing import List, Optional, Sequence, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence import batched, fused, library, native, reference
from allennlp_gated.recurrence.direction import Direction, State

VARIABLE = "ALLENNLP_GATED_BACKEND"
PYTORCH_BACKENDS = ("reference", "torch")
BACKENDS = PYTORCH_BACKENDS + native.INSTRUCTION_SETS


def why_not(backend: str) -> Optional[str]:
    """
    # Parameters

    backend : `str`
        One of `BACKENDS`.

    # Returns

    `Optional[str]`
        Why it is not available on this machine, or `None` if it is.
    """
    if backend in PYTORCH_BACKENDS:
        return None
    kernels, reason = native.load()
    return reason if kernels is None else kernels.why_not(backend)


def available_backends() -> List[str]:
    """
    # Returns

    `List[str]`
        Those of `BACKENDS` that this machine has.
    """
    return [backend for backend in BACKENDS if why_not(backend) is None]


def _needs_reference(directions: Sequence[Direction]) -> bool:
    """Whether a dropout mask needs a gradient, which only the reference gives."""
    masks = [one.hidden_dropout_mask for one in directions]
    return any(mask is not None and mask.requires_grad for mask in masks)


def _why_not_fused(inputs: torch.Tensor, directions: Sequence[Direction]) -> Optional[str]:
    """Why the kernels cannot do this call, whatever the machine."""
    if inputs.device.type != "cpu":
        return f"the compiled kernels run on the CPU and the inputs are on {inputs.device}"
    if not 1 <= len(directions) <= native.MAX_DIRECTIONS:
        return f"the compiled kernels take 1 or 2 directions, not {len(directions)}"
    return None


def _run_in_pytorch(
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: Optional[torch.Tensor],
    directions: Sequence[Direction],
    highway: bool,
) -> Tuple[torch.Tensor, List[State]]:
    has_kernel = library.why_not(ablation, directions, highway) is None
    # On a CPU, PyTorch's kernels are slow for packed sequences.
    path = library if has_kernel and inputs.device.type != "cpu" else batched
    return path.run_layer(ablation, inputs, lengths, directions, highway)


def _best_instruction_set(kernels: native.Kernels) -> str:
    for instruction_set in reversed(native.INSTRUCTION_SETS):
        if kernels.why_not(instruction_set) is None:
            return instruction_set
    raise AssertionError("the baseline runs everywhere")


def run_layer(
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: Optional[torch.Tensor],
    directions: Sequence[Direction],
    highway: bool = False,
) -> Tuple[torch.Tensor, List[State]]:
    """
    One layer, all its directions, by the fastest path that there is. The parameters and what it
    returns are those of `reference.run_layer`.

    # Raises

    `ConfigurationError`
        If the environment variable names no path, or one that is not to be had.
    """
    forced = os.environ.get(VARIABLE)
    if _needs_reference(directions):
        return reference.run_layer(ablation, inputs, lengths, directions, highway)
    if not forced:
        kernels, _ = native.load()
        if kernels is None or _why_not_fused(inputs, directions) is not None:
            return _run_in_pytorch(ablation, inputs, lengths, directions, highway)
        instruction_set = _best_instruction_set(kernels)
    else:
        if forced not in BACKENDS:
            raise ConfigurationError(
                f"{VARIABLE}: {forced!r} is no path; choose one of {', '.join(BACKENDS)}"
            )
        if forced == "reference":
            return reference.run_layer(ablation, inputs, lengths, directions, highway)
        if forced == "torch":
            return _run_in_pytorch(ablation, inputs, lengths, directions, highway)
        reason = why_not(forced) or _why_not_fused(inputs, directions)
        if reason is not None:
            raise ConfigurationError(f"{VARIABLE}: {forced!r} is not to be had: {reason}")
        kernels, _ = native.load()
        assert kernels is not None
        instruction_set = forced
    return fused.run_layer(kernels, instruction_set, ablation, inputs, lengths, directions, highway)
