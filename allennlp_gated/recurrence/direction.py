"""What one direction of one layer brings to its recurrence: tensors, and nothing that computes."""

from typing import NamedTuple, Optional

import torch


class Direction(NamedTuple):
    """
    The weights, initial state and dropout mask of one direction of one layer.

    # Parameters

    weight_ih : `torch.Tensor`
        What sees x: shape (input blocks * H, I).
    weight_hh : `Optional[torch.Tensor]`
        What sees h: shape (hidden blocks * H, P); `None` where the layout has no such block.
    bias : `Optional[torch.Tensor]`
        Shape (bias blocks * H,); `None` for a layer without one.
    weight_hr : `Optional[torch.Tensor]`
        Projects the hidden state from H to P before it recurs, shape (P, H); `None` means that it
        is not projected and that P is H.
    hidden_0 : `Optional[torch.Tensor]`
        The initial hidden state, shape (B, P); `None` means zeros.
    memory_cell_0 : `Optional[torch.Tensor]`
        The initial memory cell, shape (B, H); `None` means zeros.
    hidden_dropout_mask : `Optional[torch.Tensor]`
        Multiplies h_{t-1} where it enters a matrix product, the same at all steps: shape (B, P).
    reverse : `bool`
        Whether the recurrence runs from each row's last step to its first.
    """

    weight_ih: torch.Tensor
    weight_hh: Optional[torch.Tensor] = None
    bias: Optional[torch.Tensor] = None
    weight_hr: Optional[torch.Tensor] = None
    hidden_0: Optional[torch.Tensor] = None
    memory_cell_0: Optional[torch.Tensor] = None
    hidden_dropout_mask: Optional[torch.Tensor] = None
    reverse: bool = False


class State(NamedTuple):
    """
    The state that a direction ends with, each row at its own last step.

    # Parameters

    hidden : `torch.Tensor`
        Shape (B, P).
    memory_cell : `Optional[torch.Tensor]`
        Shape (B, H); `None` where the ablation has no memory cell.
    """

    hidden: torch.Tensor
    memory_cell: Optional[torch.Tensor]
