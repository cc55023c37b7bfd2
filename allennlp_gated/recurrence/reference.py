"""
The equations of Levy et al. 2018 as they are written, one step at a time: the oracle for every
faster path, and the path that double backward takes. Numbers in parentheses are the paper's.

Shapes: T steps, B rows, I input features, H memory cells, P features of the hidden state
(P is H unless the hidden state is projected).
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_gated import ablation as parts
from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence.direction import Direction, State


class Step(NamedTuple):
    """Everything that one step computes, each of shape (B, H) or `None` where it is ablated."""

    hidden: torch.Tensor
    memory_cell: Optional[torch.Tensor]
    content: torch.Tensor
    input_gate: Optional[torch.Tensor]
    forget_gate: Optional[torch.Tensor]
    output_gate: Optional[torch.Tensor]


def step(
    ablation: Ablation, sums: Dict[str, torch.Tensor], memory_cell: Optional[torch.Tensor]
) -> Step:
    """
    Equations 1 to 7.

    # Parameters

    ablation : `Ablation`
        Which of the equations there are.
    sums : `Dict[str, torch.Tensor]`
        For each block its W_h h_{t-1} + W_x x_t + b, as much of it as the ablation has.
    memory_cell : `Optional[torch.Tensor]`
        c_{t-1}, shape (B, H); `None` where there is no memory cell.

    # Returns

    `Step`
        What the step computes; `hidden` is not projected yet.
    """
    content = sums[parts.CONTENT]
    if ablation.has_recurrent_content:
        content = torch.tanh(content)  # (1), (2)
    if memory_cell is None:
        return Step(content, None, content, None, None, None)

    input_gate = torch.sigmoid(sums[parts.INPUT_GATE])  # (3)
    forget_gate = torch.sigmoid(sums[parts.FORGET_GATE])  # (4)
    memory_cell = input_gate * content + forget_gate * memory_cell  # (5)
    if not ablation.has_output_gate:
        return Step(torch.tanh(memory_cell), memory_cell, content, input_gate, forget_gate, None)

    output_gate = torch.sigmoid(sums[parts.OUTPUT_GATE])  # (6)
    hidden = output_gate * torch.tanh(memory_cell)  # (7)
    return Step(hidden, memory_cell, content, input_gate, forget_gate, output_gate)


def run_direction(
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: Optional[torch.Tensor],
    direction: Direction,
    highway: bool = False,
    trace: Optional[List[Step]] = None,
) -> Tuple[torch.Tensor, State]:
    """
    One direction of one layer over whole sequences.

    # Parameters

    ablation : `Ablation`
        Which equations to compute.
    inputs : `torch.Tensor`
        Shape (T, B, I).
    lengths : `Optional[torch.Tensor]`
        How many steps each row has, from 0 to T, shape (B,); `None` means T for all.
    direction : `Direction`
        The weights and the initial state.
    highway : `bool`
        Whether the layer has a highway connection, whose blocks then follow after its own.
    trace : `Optional[List[Step]]`
        If given, each step's parts are put at its own index of this list, whatever the direction.

    # Returns

    `Tuple[torch.Tensor, State]`
        The hidden states, shape (T, B, P), zero past a row's length; and the final state.
    """
    total_steps, batch_size, _ = inputs.shape
    layout = ablation.layout_with(highway)
    hidden_size = direction.weight_ih.shape[0] // len(layout.input_blocks)
    recurrent_size = hidden_size if direction.weight_hr is None else direction.weight_hr.shape[0]

    alive = None
    if lengths is not None:
        steps = torch.arange(total_steps, device=inputs.device)
        # shape: (T, B, 1)
        alive = (steps.unsqueeze(1) < lengths.to(inputs.device).unsqueeze(0)).unsqueeze(-1)
        inputs = torch.where(alive, inputs, torch.zeros_like(inputs))

    # W_x x_t for all steps at once, with the bias where a block has one.
    from_inputs = dict(
        zip(layout.input_blocks, (inputs @ direction.weight_ih.t()).split(hidden_size, -1))
    )
    if direction.bias is not None:
        for block, bias in zip(layout.bias_blocks, direction.bias.split(hidden_size)):
            from_inputs[block] = from_inputs[block] + bias

    hidden = direction.hidden_0
    if hidden is None:
        hidden = inputs.new_zeros(batch_size, recurrent_size)
    memory_cell = direction.memory_cell_0
    if not ablation.has_memory_cell:
        memory_cell = None
    elif memory_cell is None:
        memory_cell = inputs.new_zeros(batch_size, hidden_size)

    outputs: List[torch.Tensor] = [hidden] * total_steps
    traced: List[Optional[Step]] = [None] * total_steps
    order = range(total_steps)
    for t in reversed(order) if direction.reverse else order:
        sums = {block: of_all_steps[t] for block, of_all_steps in from_inputs.items()}
        if direction.weight_hh is not None:
            seen = hidden
            if direction.hidden_dropout_mask is not None:
                seen = hidden * direction.hidden_dropout_mask
            from_hidden = (seen @ direction.weight_hh.t()).split(hidden_size, -1)
            for block, value in zip(layout.hidden_blocks, from_hidden):
                sums[block] = sums[block] + value  # W_h h_{t-1}

        this = step(ablation, sums, memory_cell)
        traced[t] = this
        new_hidden = this.hidden
        if highway:
            carry = torch.sigmoid(sums[parts.HIGHWAY_GATE])
            new_hidden = carry * new_hidden + (1 - carry) * sums[parts.HIGHWAY_INPUT]
        if direction.weight_hr is not None:
            new_hidden = new_hidden @ direction.weight_hr.t()
        if alive is None:
            outputs[t], hidden, memory_cell = new_hidden, new_hidden, this.memory_cell
        else:
            outputs[t] = torch.where(alive[t], new_hidden, torch.zeros_like(new_hidden))
            hidden = torch.where(alive[t], new_hidden, hidden)
            if memory_cell is not None and this.memory_cell is not None:
                memory_cell = torch.where(alive[t], this.memory_cell, memory_cell)

    if trace is not None:
        trace.extend(one for one in traced if one is not None)
    if total_steps == 0:
        return inputs.new_zeros(0, batch_size, recurrent_size), State(hidden, memory_cell)
    return torch.stack(outputs), State(hidden, memory_cell)


def run_layer(
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: Optional[torch.Tensor],
    directions: Sequence[Direction],
    highway: bool = False,
) -> Tuple[torch.Tensor, List[State]]:
    """
    All directions of one layer over the same inputs: parameters as for `run_direction`.

    # Returns

    `Tuple[torch.Tensor, List[State]]`
        The directions' hidden states side by side, shape (T, B, directions * P), zero past a row's
        length; and each direction's final state.
    """
    results = [run_direction(ablation, inputs, lengths, one, highway) for one in directions]
    return torch.cat([outputs for outputs, _ in results], -1), [state for _, state in results]
