"""
`AttachmentScores` reduces whole tensors of shape (batch, words) over the workers and sums them
after that. Workers whose batches differ in their longest sentence then reduce tensors of unequal
shapes, and gloo aborts the run.
"""

from typing import TypeVar

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import attachment_scores

Value = TypeVar("Value", int, float, torch.Tensor)


def sum_and_reduce(value: Value) -> Value:
    """
    # Parameters

    value : `Union[int, float, torch.Tensor]`
        A worker's own count, or a tensor of any shape whose sum is that count.

    # Returns

    `Union[int, float, torch.Tensor]`
        The sum over the workers: a number for a number, and a tensor of shape () for a tensor.
    """
    return dist_reduce_sum(value.sum() if isinstance(value, torch.Tensor) else value)


def mend() -> None:
    """Let the metric sum before it reduces; its own sum afterwards then has nothing left to do."""
    attachment_scores.dist_reduce_sum = sum_and_reduce
