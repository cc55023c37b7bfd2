"""Layers with random weights, and the gradients of a random sum of all that they return."""

import os
from contextlib import contextmanager
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence import Direction, State
from allennlp_gated.recurrence.backends import VARIABLE


class Case(NamedTuple):
    """The arguments of `run_layer`."""

    ablation: Ablation
    inputs: torch.Tensor
    lengths: Optional[torch.Tensor]
    directions: List[Direction]
    highway: bool

    def tensors(self) -> List[torch.Tensor]:
        """All that a gradient may be asked of."""
        found = [self.inputs]
        for direction in self.directions:
            found += [one for one in direction[:-1] if one is not None and one.requires_grad]
        return found

    def to(self, dtype: torch.dtype) -> "Case":
        """The same numbers in another dtype."""

        def convert(one: Optional[torch.Tensor]) -> Optional[torch.Tensor]:
            if one is None:
                return None
            return one.detach().to(dtype).requires_grad_(one.requires_grad)

        directions = [
            Direction(*(convert(one) for one in direction[:-1]), reverse=direction.reverse)
            for direction in self.directions
        ]
        return self._replace(inputs=convert(self.inputs), directions=directions)


def make_case(
    ablation: Ablation,
    total_steps: int = 7,
    batch_size: int = 5,
    input_size: int = 6,
    hidden_size: int = 9,
    lengths: Optional[Sequence[int]] = None,
    reverse: Sequence[bool] = (False,),
    highway: bool = False,
    dropout: bool = False,
    state: bool = False,
    projection_size: Optional[int] = None,
    bias: bool = True,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Case:
    """A layer of those sizes and features with random numbers in it."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        values = torch.randn(*shape, generator=generator, dtype=torch.float64) * 0.5
        return values.to(dtype).requires_grad_()

    layout = ablation.layout_with(highway)
    recurrent_size = projection_size or hidden_size
    directions = []
    for backwards in reverse:
        mask = None
        if dropout:
            keep = torch.rand(batch_size, recurrent_size, generator=generator) > 0.3
            mask = keep.to(dtype) / 0.7
        sees_hidden = bool(layout.hidden_blocks)
        hidden_rows = len(layout.hidden_blocks) * hidden_size
        directions.append(
            Direction(
                weight_ih=random(len(layout.input_blocks) * hidden_size, input_size),
                weight_hh=random(hidden_rows, recurrent_size) if sees_hidden else None,
                bias=random(len(layout.bias_blocks) * hidden_size) if bias else None,
                weight_hr=random(projection_size, hidden_size) if projection_size else None,
                hidden_0=random(batch_size, recurrent_size) if state else None,
                memory_cell_0=(
                    random(batch_size, hidden_size) if state and ablation.has_memory_cell else None
                ),
                hidden_dropout_mask=mask,
                reverse=backwards,
            )
        )
    return Case(
        ablation,
        random(total_steps, batch_size, input_size),
        None if lengths is None else torch.tensor(lengths),
        directions,
        highway,
    )


def scaled(case: Case) -> Case:
    """The case with weights in keeping with its size, as any initialisation has them."""
    with torch.no_grad():
        for direction in case.directions:
            for weight in (direction.weight_ih, direction.weight_hh):
                if weight is not None:
                    weight /= weight.shape[1] ** 0.5
    return case


def flat(result: Tuple[torch.Tensor, List[State]]) -> List[torch.Tensor]:
    """Outputs and final states as one list."""
    outputs, states = result
    return [outputs] + [one for state in states for one in state if one is not None]


def random_sum(results: Sequence[torch.Tensor], seed: int = 1) -> torch.Tensor:
    """A number whose gradient is different everywhere."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros((), dtype=torch.float64)
    for result in results:
        weights = torch.randn(result.shape, generator=generator, dtype=torch.float64)
        total = total + (result.double() * weights).sum()
    return total


def gradients(case: Case, results: Sequence[torch.Tensor]) -> List[torch.Tensor]:
    """Of `random_sum`, in the order of `case.tensors()`; zeros where nothing flows."""
    tensors = case.tensors()
    found = torch.autograd.grad(random_sum(results), tensors, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found)]


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Forces a path, and puts things back."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Sets the number of torch's threads, and puts it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
