import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import Params
from allennlp.interpret.saliency_interpreters import SaliencyInterpreter, SimpleGradient

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.augmented import AblatedStackedBidirectionalLstm
from allennlp_gated.lstm import AblatedLstm
from allennlp_gated.weighted_sum import initial_state_weights, weights
from allennlp_gated.weighted_sum.interpreter import outputs_of_call, shares_of_words
from allennlp_gated.weighted_sum.parts import recompute_parts
from tests.weighted_sum.tiny_models import (
    SENTENCES,
    classifier_config,
    predictor_of,
)

WITH_MEMORY_CELL = [key for key, row in ABLATIONS.items() if row.has_memory_cell]


def shares_by_definition(call, gradients):
    """Each word's content is multiplied by a factor of 1, by which the outputs are derived."""
    ablation, highway = call.module.ablation, call.highway
    width = call.outputs.shape[-1] // len(call.directions)
    total = 0
    for place, direction in enumerate(call.directions):
        part = slice(place * width, (place + 1) * width)
        with torch.no_grad():
            parts = recompute_parts(
                ablation, call.inputs, call.lengths, direction, call.outputs[..., part], highway
            )
            all_weights = weights(parts)
            from_initial = initial_state_weights(parts) * parts.memory_cell_0
        factors = torch.ones(parts.content.shape[:2], dtype=torch.float64, requires_grad=True)
        content = parts.content * factors.unsqueeze(-1)
        memory_cell = (all_weights * content.unsqueeze(1)).sum(0) + from_initial
        hidden = torch.tanh(memory_cell)
        if parts.output_gate is not None:
            hidden = parts.output_gate * hidden
        if parts.highway_gate is not None:
            hidden = parts.highway_gate * hidden
        if direction.weight_hr is not None:
            hidden = hidden @ direction.weight_hr.t()
        loss = (gradients[0][..., part] * hidden).sum()
        by_hidden, by_cell = gradients[1 + 2 * place : 3 + 2 * place]
        for row in range(hidden.shape[1]):
            length = int(parts.lengths[row])
            last = 0 if parts.reverse else length - 1
            loss = loss + (by_hidden[row] * hidden[last, row]).sum()
            loss = loss + (by_cell[row] * memory_cell[last, row]).sum()
        total = total + torch.autograd.grad(loss, factors)[0]
    return total


class TestShares:
    @pytest.mark.parametrize("key", WITH_MEMORY_CELL)
    @pytest.mark.parametrize("family", ["projected", "highway"])
    @pytest.mark.parametrize("lengths", [None, [5, 3]])
    def test_are_the_derivatives_by_the_contents(self, key, family, lengths):
        torch.manual_seed(2)
        if family == "projected":
            module = AblatedLstm(key, 3, 4, bidirectional=True, projection_size=2)
        else:
            module = AblatedStackedBidirectionalLstm(key, 3, 4, num_layers=1, use_highway=True)
        calls = []
        module.double().add_observer(calls.append)
        size = 2 if family == "projected" else 4
        state = [torch.randn(2, 2, one, dtype=torch.float64) for one in (size, 4)]
        lengths = None if lengths is None else torch.tensor(lengths)
        module(torch.randn(2, 5, 3, dtype=torch.float64), state, lengths)
        (call,) = calls
        gradients = [torch.randn_like(tensor) for tensor in outputs_of_call(call)]
        torch.testing.assert_close(
            shares_of_words(call, gradients), shares_by_definition(call, gradients)
        )

    @pytest.mark.parametrize("lengths", [None, [5, 3]])
    def test_ask_for_gradients_that_do_not_count_twice(self, lengths):
        """What came out of a layer must not depend on other things that came out of it."""
        module = AblatedLstm("full", 3, 4, bidirectional=True).double()
        calls = []
        module.add_observer(calls.append)
        lengths = None if lengths is None else torch.tensor(lengths)
        module(torch.randn(2, 5, 3, dtype=torch.float64), None, lengths)
        (call,) = calls
        came_out = outputs_of_call(call)
        asked = [torch.randn_like(tensor) for tensor in came_out]
        loss = sum((one * other).sum() for one, other in zip(asked, came_out))
        for ours, expected in zip(torch.autograd.grad(loss, came_out), asked):
            torch.testing.assert_close(ours, expected)


class TestInterpreter:
    @pytest.mark.parametrize(
        "kind", ["lstm_no_srnn", "lstm", "stacked_bidirectional_lstm", "alternating_lstm_full"]
    )
    @pytest.mark.parametrize("as_vector", [False, True])
    def test_has_the_shape_of_simple_gradient(self, kind, as_vector, tmp_path):
        predictor = predictor_of(classifier_config(kind, as_vector), tmp_path)
        inputs = {"sentence": SENTENCES[1]}
        interpretation = SaliencyInterpreter.from_params(
            Params({"type": "weighted-sum"}), predictor=predictor
        ).saliency_interpret_from_json(inputs)
        expected = SimpleGradient(predictor).saliency_interpret_from_json(inputs)
        assert interpretation.keys() == expected.keys() == {"instance_1"}
        assert interpretation["instance_1"].keys() == expected["instance_1"].keys()
        ours = interpretation["instance_1"]["grad_input_1"]
        assert len(ours) == len(SENTENCES[1].split())
        assert min(ours) >= 0
        assert numpy.isclose(sum(ours), 1, atol=1e-5)
        assert len(set(ours)) > 2

    @pytest.mark.parametrize("layer", [0, 1])
    def test_of_a_stock_encoder_is_that_of_what_it_converts_to(self, layer, tmp_path):
        stock = predictor_of(classifier_config("lstm"), tmp_path / "stock")
        ours = predictor_of(classifier_config("lstm_full"), tmp_path / "ours")
        encoder = ours._model._seq2seq_encoder
        encoder._module = AblatedLstm.from_torch(stock._model._seq2seq_encoder._module)
        others = {
            name: value
            for name, value in stock._model.state_dict().items()
            if "seq2seq" not in name
        }
        ours._model.load_state_dict(others, strict=False)
        inputs = {"sentence": SENTENCES[1]}
        by_stock, by_ours = (
            SaliencyInterpreter.by_name("weighted-sum")(
                one, layer=layer
            ).saliency_interpret_from_json(inputs)["instance_1"]["grad_input_1"]
            for one in (stock, ours)
        )
        numpy.testing.assert_allclose(by_stock, by_ours, rtol=1e-4, atol=1e-6)

    def test_changes_nothing(self, tmp_path):
        predictor = predictor_of(classifier_config("lstm"), tmp_path)
        frozen = next(predictor._model.parameters()).requires_grad_(False)
        before = predictor.predict_json({"sentence": SENTENCES[0]})
        SaliencyInterpreter.by_name("weighted-sum")(predictor).saliency_interpret_from_json(
            {"sentence": SENTENCES[0]}
        )
        assert predictor.predict_json({"sentence": SENTENCES[0]}) == before
        assert not frozen.requires_grad
        assert all(parameter.grad is None for parameter in predictor._model.parameters())

    def test_needs_a_memory_cell_and_a_layer(self, tmp_path):
        predictor = predictor_of(classifier_config("lstm_no_gates"), tmp_path / "a")
        with pytest.raises(ConfigurationError, match="no_gates"):
            SaliencyInterpreter.by_name("weighted-sum")(predictor)
        predictor = predictor_of(classifier_config("lstm_full"), tmp_path / "b")
        interpreter = SaliencyInterpreter.by_name("weighted-sum")(predictor, layer=7)
        with pytest.raises(ConfigurationError, match="in layer 7"):
            interpreter.saliency_interpret_from_json({"sentence": SENTENCES[0]})
