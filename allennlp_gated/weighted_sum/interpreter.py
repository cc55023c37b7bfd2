"""`WeightedSumInterpreter`: what each word's content did for an instance's prediction."""

from typing import Any, Dict, List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict, sanitize
from allennlp.data import Batch, Instance
from allennlp.interpret.saliency_interpreters.saliency_interpreter import SaliencyInterpreter
from allennlp.nn import util
from allennlp.predictors import Predictor

from allennlp_gated.recurrence import Direction
from allennlp_gated.recurrent_module import LayerCall, RecurrentModule
from allennlp_gated.weighted_sum.parts import Parts, recompute_parts
from allennlp_gated.weighted_sum.recorder import find_recurrent_modules
from allennlp_gated.weighted_sum.sentence import text_fields, text_that_was_read
from allennlp_gated.weighted_sum.stock import as_ours, read_stock_call


@SaliencyInterpreter.register("weighted-sum")
class WeightedSumInterpreter(SaliencyInterpreter):
    """
    Since c_t = sum_j w_j^t * c~_j, the derivative of the prediction's loss by a memory cell, times
    the memory cell, falls apart into one share for each word j:

        sum_t dL/dc_t . (w_j^t * c~_j),

    where dL/dc_t counts what the model reads of step t itself. The shares of both directions add
    up. As in "simple-gradient", a word's number is the absolute value of its share, and all numbers
    of a text sum to 1; texts are numbered from the last one that was encoded.

    Registered as a `SaliencyInterpreter` with name "weighted-sum".

    # Parameters

    predictor : `Predictor`
        A predictor that can label instances with its own predictions, of a model whose encoder has
        a memory cell.
    layer : `int`, optional (default = `0`)
        Which layer's memory cells: the contents of the first are computed from the words
        themselves, those of a later one from what the layers below made of them.

    # Raises

    `ConfigurationError`
        If nothing in the model has a memory cell.
    """

    def __init__(self, predictor: Predictor, layer: int = 0) -> None:
        super().__init__(predictor)
        self._layer = layer
        self._recurrent = find_recurrent_modules(predictor._model)

    def saliency_interpret_from_json(self, inputs: JsonDict) -> JsonDict:
        labeled_instances = self.predictor.json_to_labeled_instances(inputs)
        return sanitize(
            {
                f"instance_{number}": self._interpret(instance)
                for number, instance in enumerate(labeled_instances, 1)
            }
        )

    def _interpret(self, instance: Instance) -> Dict[str, List[float]]:
        fields = text_fields(instance)
        of_text: Dict[str, torch.Tensor] = {}
        reader: Optional[str] = None
        for name, call, gradients in self._calls_with_gradients(instance):
            length = int(call.inputs.shape[0])
            if call.inputs.shape[1] != 1:
                continue  # an encoder of characters, whose rows are words
            shares = shares_of_words(call, gradients)[:, 0]
            text = text_that_was_read(fields, length, list(of_text) if reader == name else [])
            # What reads a text first reads its words; what reads it later, their encodings.
            if reader is None:
                reader = name
            if reader == name and text in fields:
                of_text[text] = of_text[text] + shares if text in of_text else shares
        if not of_text:
            raise ConfigurationError(
                f"layer: no encoder with a memory cell read a text of the instance in layer "
                f"{self._layer}"
            )
        texts = list(of_text.values())[::-1]
        return {f"grad_input_{n}": _normalized(shares) for n, shares in enumerate(texts, 1)}

    def _calls_with_gradients(
        self, instance: Instance
    ) -> List[Tuple[str, LayerCall, List[Optional[torch.Tensor]]]]:
        """Each run of the layer with the gradients of the loss by what came out of it."""
        model = self.predictor._model
        calls: List[Tuple[str, LayerCall]] = []
        handles = [self._watch(name, module, calls) for name, module in self._recurrent.items()]
        self.predictor._dataset_reader.apply_token_indexers(instance)
        batch = Batch([instance])
        batch.index_instances(model.vocab)
        tensors = util.move_to_device(batch.as_tensor_dict(), self.predictor.cuda_device)
        requires_grad = {one: one.requires_grad for one in model.parameters()}
        try:
            # A gradient has to find its way to the layer, also through what was frozen.
            for parameter in requires_grad:
                parameter.requires_grad_(True)
            with torch.enable_grad():
                loss = model(**tensors)["loss"]
                came_out = [outputs_of_call(call) for _, call in calls]
                flat = [tensor for tensors in came_out for tensor in tensors]
                gradients = list(torch.autograd.grad(loss, flat, allow_unused=True)) if flat else []
        finally:
            for parameter, before in requires_grad.items():
                parameter.requires_grad_(before)
            for handle in handles:
                handle.remove()
        result: List[Tuple[str, LayerCall, List[Optional[torch.Tensor]]]] = []
        for (name, call), tensors_of_call in zip(calls, came_out):
            of_call: List[Optional[torch.Tensor]] = [gradients.pop(0) for _ in tensors_of_call]
            result.append((name, call, of_call))
        return result

    def _watch(self, name: str, module: torch.nn.Module, calls: List[Tuple[str, LayerCall]]) -> Any:
        def observe(call: LayerCall) -> None:
            if call.layer == self._layer:
                calls.append((name, call))

        if isinstance(module, RecurrentModule):
            return module.add_observer(observe)

        def run_twin(stock: torch.nn.Module, args: Tuple[Any, ...], outputs: Any) -> Any:
            # The loss is computed from the twin, so that it has gradients by the twin's layers.
            inputs, state = read_stock_call(stock, args, {})
            twin = as_ours(stock, name)
            twin.add_observer(observe)
            ours, final_state = twin(inputs, state)
            if isinstance(ours, torch.Tensor) and not getattr(stock, "batch_first", True):
                ours = ours.transpose(0, 1)
            return ours, final_state

        return module.register_forward_hook(run_twin)


def shares_of_words(call: LayerCall, gradients: List[Optional[torch.Tensor]]) -> torch.Tensor:
    """
    # Parameters

    call : `LayerCall`
        A run of a layer.
    gradients : `List[Optional[torch.Tensor]]`
        The gradients by its outputs and then, for each direction, by its final hidden state and
        memory cell; `None` where nothing depends on them.

    # Returns

    `torch.Tensor`
        Each word's share, both directions added up, shape (T, B).
    """
    by_outputs, *by_states = gradients
    width = call.outputs.shape[-1] // len(call.directions)
    shares = call.outputs.new_zeros(call.outputs.shape[:2])
    with torch.no_grad():
        for place, direction in enumerate(call.directions):
            part = slice(place * width, (place + 1) * width)
            parts = recompute_parts(
                call.module.ablation,
                call.inputs,
                call.lengths,
                direction,
                call.outputs[..., part],
                call.highway,
            )
            by_hidden = torch.zeros_like(parts.hidden)
            if by_outputs is not None:
                by_hidden = by_hidden + by_outputs[..., part]
            by_cell = torch.zeros_like(parts.memory_cell)
            by_final_hidden, by_final_cell = by_states[2 * place : 2 * place + 2]
            _add_at_last_step(by_hidden, by_final_hidden, parts)
            _add_at_last_step(by_cell, by_final_cell, parts)
            by_cell += by_hidden_to_by_cell(by_hidden, parts, direction)
            shares += _shares(by_cell, parts)
    return shares


def by_hidden_to_by_cell(
    by_hidden: torch.Tensor, parts: Parts, direction: Direction
) -> torch.Tensor:
    """
    The derivative by c_t, shape (T, B, H), of what depends on the same step's hidden state by
    `by_hidden`, shape (T, B, P): back through the projection, the highway and equation 7.
    """
    if direction.weight_hr is not None:
        by_hidden = by_hidden @ direction.weight_hr
    if parts.highway_gate is not None:
        by_hidden = by_hidden * parts.highway_gate
    if parts.output_gate is not None:
        by_hidden = by_hidden * parts.output_gate
    by_cell = by_hidden * (1 - torch.tanh(parts.memory_cell) ** 2)
    return by_cell * parts.mask.unsqueeze(-1)


def _shares(by_cell: torch.Tensor, parts: Parts) -> torch.Tensor:
    """sum_t dL/dc_t . (w_j^t * c~_j) for each j: w's recurrence the other way round, in O(T H)."""
    later = torch.zeros_like(by_cell[0])
    shares = torch.zeros(by_cell.shape[:2], dtype=by_cell.dtype, device=by_cell.device)
    steps = range(by_cell.shape[0])
    for t in steps if parts.reverse else reversed(steps):
        # sum over t' from t on of dL/dc_t' * prod_{k=t+1..t'} f_k
        later = by_cell[t] + later
        shares[t] = (later * parts.input_gate[t] * parts.content[t]).sum(-1)
        later = later * parts.forget_gate[t]
    return shares


def outputs_of_call(call: LayerCall) -> List[torch.Tensor]:
    """A layer's outputs and, for each direction, its final hidden state and memory cell."""
    tensors = [call.outputs]
    for state in call.states:
        assert state.memory_cell is not None
        tensors += [state.hidden, state.memory_cell]
    return tensors


def _add_at_last_step(
    by_step: torch.Tensor, by_final: Optional[torch.Tensor], parts: Parts
) -> None:
    if by_final is None:
        return
    for row, length in enumerate(parts.lengths.tolist()):
        if length > 0:
            by_step[0 if parts.reverse else length - 1, row] += by_final[row]


def _normalized(shares: torch.Tensor) -> List[float]:
    total = shares.abs().sum()
    # Nothing was remembered: then nobody has a share.
    return (shares.abs() / total if total > 0 else shares.abs()).tolist()
