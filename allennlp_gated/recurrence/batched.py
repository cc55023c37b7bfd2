"""
The path for any device and dtype: a loop in Python with hand-derived gradients. Nothing is recorded
step by step, and the gradient of each weight is one product over all steps.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch

from allennlp_gated import ablation as parts
from allennlp_gated.ablation import Ablation
from allennlp_gated.recurrence.direction import Direction, State
from allennlp_gated.recurrence.layer import (
    TENSORS,
    Layer,
    OptionalTensor,
    flatten,
    through_reference,
    to_one_dtype,
    unflatten,
    without_autocast,
)


def run_layer(
    ablation: Ablation,
    inputs: torch.Tensor,
    lengths: OptionalTensor,
    directions: Sequence[Direction],
    highway: bool = False,
) -> Tuple[torch.Tensor, List[State]]:
    """
    `reference.run_layer`, with the same parameters and results, in fewer operations. Dropout masks
    must need no gradient.
    """
    inputs, tensors = to_one_dtype(inputs, flatten(directions))
    layer = Layer(ablation, highway, lengths, tuple(one.reverse for one in directions))
    with without_autocast(inputs.device):
        results = _BatchedLayer.apply(layer, inputs, *tensors)
    return results[0], [State(*results[i : i + 2]) for i in range(1, len(results), 2)]


class _Piece(NamedTuple):
    """Columns of the sums that one product with W_hh adds to, and its rows for them."""

    columns: slice
    rows: slice


class _Blocks:
    """Where each block lies in a row of sums."""

    def __init__(self, layer: Layer, hidden_size: int) -> None:
        self.layout = layer.ablation.layout_with(layer.highway)
        self.hidden_size = hidden_size
        self.columns: Dict[str, slice] = {
            block: slice(i * hidden_size, (i + 1) * hidden_size)
            for i, block in enumerate(self.layout.input_blocks)
        }
        # Neighbours in both matrices share a product, and neighbouring gates a sigmoid.
        self.pieces: List[_Piece] = []
        for i, block in enumerate(self.layout.hidden_blocks):
            columns, row = self.columns[block], i * hidden_size
            if self.pieces and self.pieces[-1].columns.stop == columns.start:
                last = self.pieces.pop()
                columns = slice(last.columns.start, columns.stop)
                row = last.rows.start
            self.pieces.append(_Piece(columns, slice(row, (i + 1) * hidden_size)))
        self.gates: List[slice] = []
        for block in self.layout.input_blocks:
            if block in (parts.CONTENT, parts.HIGHWAY_INPUT):
                continue
            columns = self.columns[block]
            if self.gates and self.gates[-1].stop == columns.start:
                columns = slice(self.gates.pop().start, columns.stop)
            self.gates.append(columns)

    def all_biases(self, bias: torch.Tensor) -> torch.Tensor:
        """The bias with zeros for the blocks that have none, shape (input blocks * H,)."""
        biases = dict(zip(self.layout.bias_blocks, bias.split(self.hidden_size)))
        zeros = bias.new_zeros(self.hidden_size)
        return torch.cat([biases.get(block, zeros) for block in self.layout.input_blocks])

    def __getitem__(self, block: str) -> slice:
        return self.columns[block]


class _Kept(NamedTuple):
    """What one direction's forward pass leaves for its backward pass."""

    gates: torch.Tensor  # shape: (T, B, input blocks * H), activations
    seen: List[torch.Tensor]  # h_{t-1} of each step as the product sees it
    cells: List[torch.Tensor]  # c_t of each step, and last the initial one
    raw_hidden: List[torch.Tensor]  # before the projection


def _alive(lengths: OptionalTensor, inputs: torch.Tensor) -> Tuple[List[OptionalTensor], int]:
    """For each step which rows are alive, shape (B, 1); `None` where all are."""
    total_steps = inputs.shape[0]
    if lengths is None or not len(lengths):
        return [None] * total_steps, total_steps
    lengths = lengths.to(inputs.device)
    full = min(int(lengths.min()), total_steps)
    steps = torch.arange(total_steps, device=inputs.device)
    alive = (steps.unsqueeze(1) < lengths.unsqueeze(0)).unsqueeze(-1)
    return [None] * full + list(alive[full:].unbind(0)), full


def _where(alive: OptionalTensor, this: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return this if alive is None else torch.where(alive, this, other)


def _forward(
    layer: Layer, inputs: torch.Tensor, direction: Direction, alive: Sequence[OptionalTensor]
) -> Tuple[torch.Tensor, State, _Kept]:
    total_steps, batch_size, _ = inputs.shape
    blocks_of_inputs = layer.ablation.layout_with(layer.highway).input_blocks
    hidden_size = direction.weight_ih.shape[0] // len(blocks_of_inputs)
    blocks = _Blocks(layer, hidden_size)
    weight_hr, mask = direction.weight_hr, direction.hidden_dropout_mask
    recurrent_size = hidden_size if weight_hr is None else weight_hr.shape[0]
    gates = inputs @ direction.weight_ih.t()
    if direction.bias is not None:
        gates += blocks.all_biases(direction.bias)
    products: List[Tuple[slice, torch.Tensor]] = []
    if direction.weight_hh is not None:
        products = [(one.columns, direction.weight_hh[one.rows].t()) for one in blocks.pieces]

    hidden, cell = direction.hidden_0, direction.memory_cell_0
    if hidden is None:
        hidden = inputs.new_zeros(batch_size, recurrent_size)
    if cell is None:
        cell = inputs.new_zeros(batch_size, hidden_size)
    outputs = inputs.new_zeros(total_steps, batch_size, recurrent_size)
    nothing = [hidden] * total_steps
    kept = _Kept(gates, list(nothing), [cell] * (total_steps + 1), list(nothing))
    order = range(total_steps)
    for t in reversed(order) if direction.reverse else order:
        sums = gates[t]
        if products:
            kept.seen[t] = hidden if mask is None else hidden * mask
            for columns, weight in products:
                sums[:, columns].addmm_(kept.seen[t], weight)
        for columns in blocks.gates:
            sums[:, columns].sigmoid_()
        content = sums[:, blocks[parts.CONTENT]]
        if layer.ablation.has_recurrent_content:
            content.tanh_()
        new_hidden = content
        if layer.ablation.has_memory_cell:
            new_cell = sums[:, blocks[parts.INPUT_GATE]] * content
            new_cell.addcmul_(sums[:, blocks[parts.FORGET_GATE]], cell)
            cell = kept.cells[t] = _where(alive[t], new_cell, cell)
            new_hidden = torch.tanh(new_cell)
            if layer.ablation.has_output_gate:
                new_hidden *= sums[:, blocks[parts.OUTPUT_GATE]]
        if layer.highway:
            new_hidden = torch.lerp(
                sums[:, blocks[parts.HIGHWAY_INPUT]],
                new_hidden,
                sums[:, blocks[parts.HIGHWAY_GATE]],
            )
        if weight_hr is not None:
            kept.raw_hidden[t] = new_hidden
            new_hidden = new_hidden @ weight_hr.t()
        rows = alive[t]
        if rows is None:
            outputs[t] = new_hidden
            hidden = outputs[t]
        else:
            outputs[t] = torch.where(rows, new_hidden, outputs[t])
            hidden = torch.where(rows, new_hidden, hidden)
    final_cell = cell.clone() if layer.ablation.has_memory_cell else None
    return outputs, State(hidden.clone(), final_cell), kept


def _backward(
    layer: Layer,
    inputs: torch.Tensor,
    direction: Direction,
    alive: Sequence[OptionalTensor],
    kept: _Kept,
    grad_outputs: OptionalTensor,
    grad_state: State,
) -> Tuple[torch.Tensor, Direction]:
    total_steps, batch_size, _ = inputs.shape
    gates = kept.gates
    hidden_size = kept.cells[-1].shape[-1]
    blocks = _Blocks(layer, hidden_size)
    weight_hh, weight_hr = direction.weight_hh, direction.weight_hr
    recurrent_size = hidden_size if weight_hr is None else weight_hr.shape[0]
    has_cell = layer.ablation.has_memory_cell
    grad_hidden = grad_state.hidden
    if grad_hidden is None:
        grad_hidden = inputs.new_zeros(batch_size, recurrent_size)
    grad_cell = grad_state.memory_cell
    if grad_cell is None:
        grad_cell = inputs.new_zeros(batch_size, hidden_size)
    grad_gates = torch.empty_like(gates)
    grad_raw: List[torch.Tensor] = [grad_hidden] * total_steps
    zeros = inputs.new_zeros(())

    order = range(total_steps)
    for t in order if direction.reverse else reversed(order):
        before = t + 1 if direction.reverse else t - 1
        previous = kept.cells[before if 0 <= before < total_steps else -1]
        gate = {block: gates[t][:, columns] for block, columns in blocks.columns.items()}
        grad = {block: grad_gates[t][:, columns] for block, columns in blocks.columns.items()}
        total = grad_hidden if grad_outputs is None else grad_hidden + grad_outputs[t]
        if weight_hr is not None:
            grad_raw[t] = _where(alive[t], total, zeros)
            total = total @ weight_hr
        content = hidden = gate[parts.CONTENT]
        if has_cell:
            squashed = hidden = torch.tanh(kept.cells[t])
            if layer.ablation.has_output_gate:
                hidden = gate[parts.OUTPUT_GATE] * squashed
        if layer.highway:
            carry = gate[parts.HIGHWAY_GATE]
            grad[parts.HIGHWAY_GATE].copy_(total * (hidden - gate[parts.HIGHWAY_INPUT]))
            grad[parts.HIGHWAY_INPUT].copy_(total - total * carry)
            total = total * carry
        if has_cell:
            if layer.ablation.has_output_gate:
                torch.mul(total, squashed, out=grad[parts.OUTPUT_GATE])
                total = total * gate[parts.OUTPUT_GATE]
            # tanh_backward(g, y) = g * (1 - y^2), in one pass.
            of_cell = grad_cell + torch.ops.aten.tanh_backward(total, squashed)
            torch.mul(of_cell, content, out=grad[parts.INPUT_GATE])
            torch.mul(of_cell, previous, out=grad[parts.FORGET_GATE])
            total = of_cell * gate[parts.INPUT_GATE]
            of_cell = of_cell * gate[parts.FORGET_GATE]
            grad_cell = _where(alive[t], of_cell, grad_cell)
        if layer.ablation.has_recurrent_content:
            total = torch.ops.aten.tanh_backward(total, content)
        grad[parts.CONTENT].copy_(total)
        for columns in blocks.gates:
            of_gates = grad_gates[t][:, columns]
            of_gates.copy_(torch.ops.aten.sigmoid_backward(of_gates, gates[t][:, columns]))
        rows = alive[t]
        if rows is not None:
            grad_gates[t] = torch.where(rows, grad_gates[t], zeros)
        if weight_hh is None:
            of_hidden = torch.zeros_like(grad_hidden)
        else:
            first, *rest = blocks.pieces
            of_hidden = grad_gates[t][:, first.columns] @ weight_hh[first.rows]
            for piece in rest:
                of_hidden.addmm_(grad_gates[t][:, piece.columns], weight_hh[piece.rows])
            if direction.hidden_dropout_mask is not None:
                of_hidden *= direction.hidden_dropout_mask
        grad_hidden = _where(alive[t], of_hidden, grad_hidden)

    flat = grad_gates.flatten(0, 1)
    grad_weight_hh = grad_weight_hr = grad_bias = None
    if weight_hh is not None:
        seen = _stack(kept.seen, inputs, recurrent_size).flatten(0, 1)
        grad_weight_hh = torch.cat([flat[:, one.columns].t() @ seen for one in blocks.pieces])
    if weight_hr is not None:
        of_raw = _stack(grad_raw, inputs, recurrent_size).flatten(0, 1)
        # Past a row's end the raw hidden state is of no meaning, and its gradient is zero.
        grad_weight_hr = of_raw.t() @ _stack(kept.raw_hidden, inputs, hidden_size).flatten(0, 1)
    if direction.bias is not None:
        sums = flat.sum(0)
        grad_bias = torch.cat([sums[blocks[block]] for block in blocks.layout.bias_blocks])
    gradients = Direction(
        weight_ih=flat.t() @ inputs.flatten(0, 1),
        weight_hh=grad_weight_hh,
        bias=grad_bias,
        weight_hr=grad_weight_hr,
        hidden_0=None if direction.hidden_0 is None else grad_hidden,
        memory_cell_0=None if direction.memory_cell_0 is None else grad_cell,
    )
    return grad_gates @ direction.weight_ih, gradients


def _stack(tensors: Sequence[torch.Tensor], like: torch.Tensor, features: int) -> torch.Tensor:
    return torch.stack(list(tensors)) if tensors else like.new_zeros(0, like.shape[1], features)


def _without_padding(inputs: torch.Tensor, alive: Sequence[OptionalTensor]) -> torch.Tensor:
    """The inputs with zeros for whatever lies in the padding."""
    full = sum(one is None for one in alive)
    if full == len(alive):
        return inputs
    padded = torch.stack([one for one in alive if one is not None])
    rest = torch.where(padded, inputs[full:], inputs.new_zeros(()))
    return torch.cat([inputs[:full], rest])


class _BatchedLayer(torch.autograd.Function):
    """`_forward` and `_backward` of each direction, for autograd."""

    @staticmethod
    def forward(
        ctx: Any, layer: Layer, inputs: torch.Tensor, *tensors: OptionalTensor
    ) -> Tuple[OptionalTensor, ...]:
        alive, _ = _alive(layer.lengths, inputs)
        clean = _without_padding(inputs, alive)
        results: List[OptionalTensor] = []
        kept: List[_Kept] = []
        outputs: List[torch.Tensor] = []
        for direction in unflatten(tensors, layer.reverse):
            output, state, keep = _forward(layer, clean, direction, alive)
            outputs.append(output)
            results.extend(state)
            kept.append(keep)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, *tensors)
        ctx.layer, ctx.kept = layer, kept
        return (torch.cat(outputs, -1), *results)

    @staticmethod
    def backward(ctx: Any, *grads: OptionalTensor) -> Tuple[OptionalTensor, ...]:
        inputs, *tensors = ctx.saved_tensors
        layer: Layer = ctx.layer
        wanted = ctx.needs_input_grad[1:]
        if all(grad is None for grad in grads):
            return (None,) * (2 + len(tensors))
        if torch.is_grad_enabled():
            return (None, *through_reference(layer, inputs, tensors, grads, wanted))
        alive, _ = _alive(layer.lengths, inputs)
        clean = _without_padding(inputs, alive)
        directions = unflatten(tensors, layer.reverse)
        of_outputs: Sequence[OptionalTensor] = [None] * len(directions)
        if grads[0] is not None:
            of_outputs = grads[0].chunk(len(directions), -1)
        grad_inputs: Optional[torch.Tensor] = None
        results: List[OptionalTensor] = []
        for d, direction in enumerate(directions):
            of_inputs, gradients = _backward(
                layer,
                clean,
                direction,
                alive,
                ctx.kept[d],
                of_outputs[d],
                State(*grads[1 + 2 * d : 3 + 2 * d]),  # type: ignore[arg-type]
            )
            grad_inputs = of_inputs if grad_inputs is None else grad_inputs + of_inputs
            results.extend(getattr(gradients, name) for name in TENSORS)
        needed = [grad if want else None for grad, want in zip((grad_inputs, *results), wanted)]
        return (None, *needed)
