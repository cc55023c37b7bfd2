import pytest
import torch
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import Direction
from allennlp_gated.recurrence.reference import run_direction
from allennlp_gated.weighted_sum.parts import Parts, recompute_parts
from allennlp_gated.weighted_sum.weights import (
    initial_state_weights,
    largest_weights,
    weight_norms,
    weighted_sums,
    weights,
    weights_at,
)

WITH_MEMORY_CELL = [key for key, row in ABLATIONS.items() if row.has_memory_cell]
WITHOUT_MEMORY_CELL = [key for key, row in ABLATIONS.items() if not row.has_memory_cell]


def random_direction(
    ablation, input_size, hidden_size, batch_size, reverse, highway=False, projection_size=None
):
    layout = ablation.layout_with(highway)
    recurrent_size = projection_size or hidden_size

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64) * 0.7

    return Direction(
        weight_ih=draw(len(layout.input_blocks) * hidden_size, input_size),
        weight_hh=draw(len(layout.hidden_blocks) * hidden_size, recurrent_size)
        if layout.hidden_blocks
        else None,
        bias=draw(len(layout.bias_blocks) * hidden_size),
        weight_hr=draw(projection_size, hidden_size) if projection_size else None,
        hidden_0=draw(batch_size, recurrent_size),
        memory_cell_0=draw(batch_size, hidden_size),
        hidden_dropout_mask=torch.tensor([0.0, 1.25], dtype=torch.float64)[
            torch.randint(2, (batch_size, recurrent_size))
        ],
        reverse=reverse,
    )


def parts_from_gates(content, input_gate, forget_gate, memory_cell_0, lengths=None, reverse=False):
    """Parts whose memory cell follows equation 5, each row in a loop of its own."""
    total_steps, batch_size, _ = content.shape
    if lengths is None:
        lengths = torch.full((batch_size,), total_steps)
    memory_cell = torch.zeros_like(content)
    content, input_gate, forget_gate = (
        tensor.clone() for tensor in (content, input_gate, forget_gate)
    )
    for row, length in enumerate(lengths.tolist()):
        for tensor in (content, input_gate, forget_gate):
            tensor[length:, row] = 0
        cell = memory_cell_0[row]
        for t in reversed(range(length)) if reverse else range(length):
            cell = input_gate[t, row] * content[t, row] + forget_gate[t, row] * cell
            memory_cell[t, row] = cell
    return Parts(
        content,
        input_gate,
        forget_gate,
        None,
        memory_cell,
        torch.tanh(memory_cell),
        None,
        memory_cell_0,
        lengths,
        reverse,
    )


def weight_by_definition(parts, j, t, row):
    """Equation 8 as it is written: w_j^t = i_j * prod_{k=j+1..t} f_k."""
    between = range(t, j) if parts.reverse else range(j + 1, t + 1)
    is_past = j >= t if parts.reverse else j <= t
    if not is_past or max(j, t) >= int(parts.lengths[row]):
        return torch.zeros_like(parts.input_gate[j, row])
    weight = parts.input_gate[j, row]
    for k in between:
        weight = weight * parts.forget_gate[k, row]
    return weight


def random_parts(total_steps, lengths, hidden_size=3, reverse=False, scale=2.0, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    shape = (total_steps, len(lengths), hidden_size)
    return parts_from_gates(
        draw(*shape),
        torch.sigmoid(scale * draw(*shape)),
        torch.sigmoid(scale * draw(*shape)),
        draw(len(lengths), hidden_size),
        torch.tensor(lengths),
        reverse,
    )


class TestRecomputedParts:
    @pytest.mark.parametrize("key", WITH_MEMORY_CELL)
    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("highway", [False, True])
    @pytest.mark.parametrize("projection_size", [None, 2])
    def test_are_those_of_the_reference(self, key, reverse, highway, projection_size):
        torch.manual_seed(1)
        ablation = ABLATIONS[key]
        lengths = torch.tensor([4, 7, 0, 1])
        direction = random_direction(ablation, 3, 5, 4, reverse, highway, projection_size)
        inputs = torch.randn(7, 4, 3, dtype=torch.float64)
        inputs[4:, 0] = float("nan")  # what lies past a row's length must not be read
        trace = []
        outputs, _ = run_direction(ablation, inputs, lengths, direction, highway, trace)
        parts = recompute_parts(ablation, inputs, lengths, direction, outputs, highway)
        for row, length in enumerate(lengths.tolist()):
            for t in range(7):
                for name in ("content", "input_gate", "forget_gate", "output_gate", "memory_cell"):
                    ours, theirs = getattr(parts, name), getattr(trace[t], name)
                    if theirs is None:
                        assert ours is None
                        continue
                    expected = theirs[row] if t < length else torch.zeros_like(theirs[row])
                    torch.testing.assert_close(ours[t, row], expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(parts.hidden, outputs)
        assert parts.memory_cell_0 is direction.memory_cell_0
        torch.testing.assert_close(weighted_sums(parts), parts.memory_cell, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("key", WITHOUT_MEMORY_CELL)
    def test_need_a_memory_cell(self, key):
        ablation = ABLATIONS[key]
        direction = Direction(torch.zeros(2, 3), torch.zeros(2, 2), torch.zeros(2))
        with pytest.raises(ConfigurationError, match=f"{key}.*has no memory cell"):
            recompute_parts(ablation, torch.zeros(4, 1, 3), None, direction, torch.zeros(4, 1, 2))

    def test_one_row_is_what_it_is_alone(self):
        parts = random_parts(6, [6, 3], reverse=True)
        alone = parts.row(1)
        assert alone.content.shape == (3, 1, 3)
        torch.testing.assert_close(weight_norms(alone)[..., 0], weight_norms(parts)[:3, :3, 1])


class TestWeights:
    @given(
        total_steps=st.integers(0, 9),
        hidden_size=st.integers(1, 5),
        reverse=st.booleans(),
        scale=st.sampled_from([0.1, 3.0, 100.0, 2000.0]),
        data=st.data(),
    )
    @settings(max_examples=60, deadline=None)
    def test_are_equation_8(self, total_steps, hidden_size, reverse, scale, data):
        lengths = data.draw(st.lists(st.integers(0, total_steps), min_size=1, max_size=3))
        parts = random_parts(total_steps, lengths, hidden_size, reverse, scale)
        expected = torch.zeros(
            total_steps, total_steps, len(lengths), hidden_size, dtype=torch.float64
        )
        for j in range(total_steps):
            for t in range(total_steps):
                for row in range(len(lengths)):
                    expected[j, t, row] = weight_by_definition(parts, j, t, row)
        all_weights = weights(parts)
        torch.testing.assert_close(all_weights, expected, rtol=1e-13, atol=0)
        torch.testing.assert_close(
            weight_norms(parts), expected.norm(dim=-1), rtol=1e-13, atol=1e-150
        )
        for t in range(total_steps):
            torch.testing.assert_close(
                weights_at(parts, t), expected[:, t], rtol=1e-12, atol=1e-300
            )
        count = min(2, hidden_size)
        largest = largest_weights(parts, count)
        torch.testing.assert_close(
            largest.values, expected.topk(count, -1).values, rtol=1e-12, atol=1e-300
        )
        torch.testing.assert_close(
            all_weights.gather(-1, largest.dimensions), largest.values, rtol=0, atol=0
        )

    @given(
        lengths=st.lists(st.integers(0, 12), min_size=1, max_size=4),
        reverse=st.booleans(),
        scale=st.sampled_from([0.1, 3.0, 2000.0]),
        seed=st.integers(0, 1000),
    )
    @settings(max_examples=60, deadline=None)
    def test_give_back_the_memory_cell(self, lengths, reverse, scale, seed):
        parts = random_parts(12, lengths, 4, reverse, scale, seed)
        torch.testing.assert_close(weighted_sums(parts), parts.memory_cell, rtol=0, atol=1e-12)
        total = (weights(parts) * parts.content.unsqueeze(1)).sum(0)
        total = total + initial_state_weights(parts) * parts.memory_cell_0
        torch.testing.assert_close(total, parts.memory_cell, rtol=0, atol=1e-12)

    @pytest.mark.parametrize(
        ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)]
    )
    @pytest.mark.parametrize("reverse", [False, True])
    def test_are_exact_at_length_2000(self, dtype, tolerance, reverse):
        """Each dimension has gates of its own kind, saturated in both directions included."""
        total_steps = 2000
        torch.manual_seed(3)
        forget = torch.stack(
            [
                torch.full((total_steps,), -80.0),
                torch.full((total_steps,), 80.0),
                torch.full((total_steps,), 15.9),  # in float32 the last gate below 1
                torch.full((total_steps,), 7.0),
                torch.zeros(total_steps),
                torch.randn(total_steps),
                torch.randn(total_steps) * 200,
                torch.randn(total_steps) + 5,
                torch.where(torch.rand(total_steps) < 0.01, -80.0, 80.0),
            ],
            -1,
        )
        hidden_size = forget.shape[-1]
        content = torch.tanh(torch.randn(total_steps, hidden_size))
        # This ablation sees x alone: with the identity as its weights, x is what the gates see.
        ablation = ABLATIONS["no_srnn_no_hidden"]
        given_sums = {
            "input_gate": 3 * torch.randn(total_steps, hidden_size),
            "forget_gate": forget,
            "content": content,
            "output_gate": torch.zeros(total_steps, hidden_size),
        }
        inputs = torch.cat([given_sums[block] for block in ablation.layout.input_blocks], -1)
        inputs = inputs.unsqueeze(1).to(dtype)
        direction = Direction(
            torch.eye(4 * hidden_size, dtype=dtype),
            memory_cell_0=torch.randn(1, hidden_size).to(dtype),
            reverse=reverse,
        )
        trace = []
        outputs, _ = run_direction(ablation, inputs, None, direction, trace=trace)
        parts = recompute_parts(ablation, inputs, None, direction, outputs)
        assert parts.memory_cell.dtype == dtype
        assert parts.memory_cell.abs().max() > 10  # some dimensions forget nothing
        sums = weighted_sums(parts)
        assert sums.dtype == dtype
        torch.testing.assert_close(sums, parts.memory_cell, rtol=0, atol=tolerance)
        by_hand = (weights(parts) * parts.content.unsqueeze(1)).sum(0)
        by_hand = by_hand + initial_state_weights(parts) * parts.memory_cell_0
        torch.testing.assert_close(by_hand, parts.memory_cell, rtol=0, atol=tolerance)
        # The model's own cell has rounded 2,000 times, in proportion to its size.
        model_cell = torch.stack([step.memory_cell for step in trace])
        difference = (sums - model_cell).abs()
        assert (difference <= 10 * tolerance * model_cell.abs().clamp(min=1)).all()

        norms = weight_norms(parts)
        assert torch.isfinite(norms).all()
        # Gates are below one, so a weight never grows.
        in_order = norms.flip(0, 1) if reverse else norms
        for j in (0, 1000, 1998):
            assert (in_order[j, j + 1 :] <= in_order[j, j:-1]).all()

    def test_of_the_steps_of_an_unknown_word_raise(self):
        with pytest.raises(IndexError, match="step: must be from 0 to 3, not 4"):
            weights_at(random_parts(4, [4]), 4)


class TestGradients:
    @pytest.mark.parametrize("reverse", [False, True])
    def test_of_the_norms(self, reverse):
        base = random_parts(5, [5, 3], reverse=reverse)

        def norms(input_gate, forget_gate):
            return weight_norms(base._replace(input_gate=input_gate, forget_gate=forget_gate))

        # Within the lengths alone: a norm of zero has no gradient.
        inside = base.mask.unsqueeze(-1)
        input_gate = base.input_gate.requires_grad_()
        forget_gate = torch.where(
            inside, base.forget_gate, torch.full_like(base.forget_gate, 0.5)
        ).requires_grad_()
        ours = torch.autograd.grad(norms(input_gate, forget_gate).pow(3).sum(), [input_gate])[0]
        assert torch.isfinite(ours).all()
        full = random_parts(5, [5, 5], reverse=reverse)
        assert torch.autograd.gradcheck(
            lambda i, f: (
                weight_norms(full._replace(input_gate=i, forget_gate=f))
                + (torch.ones(5, 5, dtype=torch.float64).tril(-1)).unsqueeze(-1)
            ),
            (full.input_gate.requires_grad_(), full.forget_gate.requires_grad_()),
        )

    @pytest.mark.parametrize("reverse", [False, True])
    def test_of_the_norms_are_those_of_the_weights(self, reverse):
        parts = random_parts(8, [8, 5, 0], reverse=reverse)
        gates = [parts.input_gate.requires_grad_(), parts.forget_gate.requires_grad_()]
        mixture = torch.randn(8, 8, 3, dtype=torch.float64)
        all_weights = weights(parts)
        # The square root's gradient at zero is taken as none, by leaving zeros out.
        squares = all_weights.pow(2).sum(-1)
        by_weights = torch.where(squares > 0, squares.clamp(min=1e-300).sqrt(), squares)
        expected = torch.autograd.grad((by_weights * mixture).sum(), gates)
        ours = torch.autograd.grad((weight_norms(parts) * mixture).sum(), gates)
        for one, other in zip(ours, expected):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)

    def test_are_finite_when_gates_are_zero(self):
        parts = random_parts(6, [6])
        forget_gate = parts.forget_gate.clone()
        forget_gate[2] = 0
        forget_gate.requires_grad_()
        norms = weight_norms(parts._replace(forget_gate=forget_gate))
        (gradient,) = torch.autograd.grad(norms.sum(), [forget_gate])
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).any()

    def test_reach_the_inputs_of_the_layer(self):
        torch.manual_seed(5)
        ablation = ABLATIONS["no_srnn"]
        direction = random_direction(ablation, 3, 4, 2, reverse=False)
        inputs = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)

        def norms(inputs):
            outputs, _ = run_direction(ablation, inputs, None, direction)
            return weight_norms(recompute_parts(ablation, inputs, None, direction, outputs)).sum()

        assert torch.autograd.gradcheck(norms, (inputs,))

    def test_of_weights_at_one_step_and_of_the_initial_state(self):
        parts = random_parts(5, [5, 3], reverse=True)
        for function in (lambda p: weights_at(p, 1), initial_state_weights, weighted_sums):
            assert torch.autograd.gradcheck(
                lambda i, f, function=function: function(
                    parts._replace(input_gate=i, forget_gate=f)
                ),
                (
                    parts.input_gate.clone().requires_grad_(),
                    parts.forget_gate.clone().requires_grad_(),
                ),
            )


def test_norms_make_no_array_of_all_weights():
    """Counts what autograd and the norms allocate: never T x T x H numbers at once."""
    total_steps, hidden_size = 64, 256
    parts = random_parts(total_steps, [total_steps], hidden_size)
    parts.input_gate.requires_grad_()
    sizes = []

    def remember(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        weight_norms(parts).sum().backward()
    assert sum(sizes) <= 3 * total_steps * (hidden_size + total_steps)
