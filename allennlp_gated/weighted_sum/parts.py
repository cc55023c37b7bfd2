"""What one direction of one layer computed, part by part, made again from its outputs."""

from typing import Dict, NamedTuple, Optional

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_gated import ablation as names
from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence import Direction
from allennlp_gated.recurrence.reference import step


class Parts(NamedTuple):
    """
    The parts of equations 2-7 for all steps of one direction. T steps, B rows, H memory cells, P
    features of the hidden state. Past a row's length everything is zero.

    # Parameters

    content : `torch.Tensor`
        c~, shape (T, B, H).
    input_gate : `torch.Tensor`
        i, shape (T, B, H).
    forget_gate : `torch.Tensor`
        f, shape (T, B, H).
    output_gate : `Optional[torch.Tensor]`
        o, shape (T, B, H); `None` where the ablation has none.
    memory_cell : `torch.Tensor`
        c, shape (T, B, H).
    hidden : `torch.Tensor`
        What the layer handed on, shape (T, B, P): h, after the highway and the projection if there
        are any.
    highway_gate : `Optional[torch.Tensor]`
        With a highway connection, how much of h it let pass, shape (T, B, H). The memory cell, and
        with it the weighted sum, is what it is without one.
    memory_cell_0 : `torch.Tensor`
        The initial memory cell, shape (B, H).
    lengths : `torch.Tensor`
        Steps of each row, shape (B,).
    reverse : `bool`
        Whether the recurrence ran from each row's last step to its first.
    """

    content: torch.Tensor
    input_gate: torch.Tensor
    forget_gate: torch.Tensor
    output_gate: Optional[torch.Tensor]
    memory_cell: torch.Tensor
    hidden: torch.Tensor
    highway_gate: Optional[torch.Tensor]
    memory_cell_0: torch.Tensor
    lengths: torch.Tensor
    reverse: bool

    @property
    def mask(self) -> torch.Tensor:
        """Which steps are within their row's length, shape (T, B)."""
        return length_mask(self.lengths, self.content.shape[0])

    def row(self, index: int) -> "Parts":
        """One row alone, a batch of one, cut to its own length."""
        length = int(self.lengths[index])

        def cut(tensor: torch.Tensor) -> torch.Tensor:
            return tensor[:length, index : index + 1]

        def cut_if_there(tensor: Optional[torch.Tensor]) -> Optional[torch.Tensor]:
            return None if tensor is None else cut(tensor)

        return Parts(
            content=cut(self.content),
            input_gate=cut(self.input_gate),
            forget_gate=cut(self.forget_gate),
            output_gate=cut_if_there(self.output_gate),
            memory_cell=cut(self.memory_cell),
            hidden=cut(self.hidden),
            highway_gate=cut_if_there(self.highway_gate),
            memory_cell_0=self.memory_cell_0[index : index + 1],
            lengths=self.lengths[index : index + 1],
            reverse=self.reverse,
        )


def length_mask(lengths: torch.Tensor, total_steps: int) -> torch.Tensor:
    """Which of `total_steps` steps are within the rows' lengths, shape (T, B)."""
    steps = torch.arange(total_steps, device=lengths.device)
    return steps.unsqueeze(1) < lengths.unsqueeze(0)


def recompute_parts(
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: Optional[torch.Tensor],
    direction: Direction,
    hidden: torch.Tensor,
    highway: bool = False,
) -> Parts:
    """
    The parts of a run whose outputs are known. Since every h_{t-1} is among the outputs, the gates
    of all steps come from one matrix product, and only equation 5 is computed step by step.

    # Parameters

    ablation : `Ablation`
        Which equations there are.
    inputs : `torch.Tensor`
        What the layer saw, shape (T, B, I).
    lengths : `Optional[torch.Tensor]`
        Steps of each row, shape (B,); `None` means T for all.
    direction : `Direction`
        The weights, initial state and dropout mask of the run.
    hidden : `torch.Tensor`
        The direction's outputs, shape (T, B, P). Gradients flow back through them.
    highway : `bool`, optional (default = `False`)
        Whether the layer has a highway connection.

    # Returns

    `Parts`
        The parts, in the dtype of `inputs`.

    # Raises

    `ConfigurationError`
        If the ablation has no memory cell.
    """
    if not ablation.has_memory_cell:
        raise ConfigurationError(
            f"ablation: {ablation.key} ({ablation.paper_name}) has no memory cell, so there is no "
            "weighted sum to show; choose an ablation with an input gate and a forget gate"
        )
    total_steps, batch_size, _ = inputs.shape
    if lengths is None:
        lengths = torch.full((batch_size,), total_steps, dtype=torch.long)
    lengths = lengths.to(inputs.device)
    # shape: (T, B, 1)
    alive = length_mask(lengths, total_steps).unsqueeze(-1)

    def within(tensor: torch.Tensor) -> torch.Tensor:
        return torch.where(alive, tensor, torch.zeros_like(tensor))

    hidden_size = direction.weight_ih.shape[0] // len(ablation.layout_with(highway).input_blocks)
    hidden = within(hidden)
    hidden_0 = direction.hidden_0
    if hidden_0 is None:
        hidden_0 = hidden.new_zeros(batch_size, hidden.shape[-1])
    sums = _sums(
        ablation,
        within(inputs),
        _previous(hidden, hidden_0, lengths, direction.reverse),
        direction,
        highway,
        hidden_size,
    )

    memory_cell_0 = direction.memory_cell_0
    if memory_cell_0 is None:
        memory_cell_0 = inputs.new_zeros(batch_size, hidden_size)
    # `step` is elementwise, so it takes all steps at once; its gates do not depend on the cell.
    gates = step(ablation, sums, torch.zeros_like(sums[names.CONTENT]))
    assert gates.input_gate is not None
    assert gates.forget_gate is not None
    memory_cell = _memory_cells(
        gates.input_gate.double() * gates.content.double(),
        gates.forget_gate,
        memory_cell_0,
        alive,
        direction.reverse,
    )
    return Parts(
        content=within(gates.content),
        input_gate=within(gates.input_gate),
        forget_gate=within(gates.forget_gate),
        output_gate=None if gates.output_gate is None else within(gates.output_gate),
        memory_cell=memory_cell,
        hidden=hidden,
        highway_gate=within(torch.sigmoid(sums[names.HIGHWAY_GATE])) if highway else None,
        memory_cell_0=memory_cell_0,
        lengths=lengths,
        reverse=direction.reverse,
    )


def _sums(
    ablation: Ablation,
    inputs: torch.Tensor,
    previous_hidden: torch.Tensor,
    direction: Direction,
    highway: bool,
    hidden_size: int,
) -> Dict[str, torch.Tensor]:
    """W_x x_t + W_h h_{t-1} + b of each block for all steps, each of shape (T, B, H)."""
    layout = ablation.layout_with(highway)
    from_inputs = (inputs @ direction.weight_ih.t()).split(hidden_size, -1)
    sums = dict(zip(layout.input_blocks, from_inputs))
    if direction.bias is not None:
        for block, bias in zip(layout.bias_blocks, direction.bias.split(hidden_size)):
            sums[block] = sums[block] + bias
    if direction.weight_hh is not None:
        if direction.hidden_dropout_mask is not None:
            previous_hidden = previous_hidden * direction.hidden_dropout_mask
        from_hidden = (previous_hidden @ direction.weight_hh.t()).split(hidden_size, -1)
        for block, value in zip(layout.hidden_blocks, from_hidden):
            sums[block] = sums[block] + value
    return sums


def _previous(
    values: torch.Tensor, initial: torch.Tensor, lengths: torch.Tensor, reverse: bool
) -> torch.Tensor:
    """For each step the value of the step before it in the order of the recurrence."""
    if not reverse:
        return torch.cat([initial.unsqueeze(0), values[:-1]])
    shifted = torch.cat([values[1:], initial.unsqueeze(0)])
    steps = torch.arange(values.shape[0], device=values.device)
    is_first = (steps.unsqueeze(1) == lengths.unsqueeze(0) - 1).unsqueeze(-1)
    return torch.where(is_first, initial.unsqueeze(0).expand_as(shifted), shifted)


def _memory_cells(
    taken_in: torch.Tensor,
    forget_gate: torch.Tensor,
    memory_cell_0: torch.Tensor,
    alive: torch.Tensor,
    reverse: bool,
) -> torch.Tensor:
    """
    Equation 5, step by step: shape (T, B, H), zero past a row's length. In float64, as the weights
    are: see `weights.py`.
    """
    dtype = forget_gate.dtype
    forget_gate, memory_cell = forget_gate.double(), memory_cell_0.double()
    cells = []
    steps = range(taken_in.shape[0])
    for t in reversed(steps) if reverse else steps:
        new = taken_in[t] + forget_gate[t] * memory_cell
        cells.append(torch.where(alive[t], new, torch.zeros_like(new)))
        memory_cell = torch.where(alive[t], new, memory_cell)
    if not cells:
        return torch.zeros_like(taken_in, dtype=dtype)
    return torch.stack(cells[::-1] if reverse else cells).to(dtype)
