"""Records the parts of every recurrent layer of a model while the model runs as it always does."""

from types import TracebackType
from typing import Any, Callable, Collection, Dict, List, NamedTuple, Optional, Tuple, Type

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.encoder_base import _EncoderBase
from allennlp.nn.util import get_lengths_from_binary_sequence_mask, sort_batch_by_length

from allennlp_gated.recurrent_module import LayerCall, RecurrentModule
from allennlp_gated.weighted_sum.parts import Parts, recompute_parts
from allennlp_gated.weighted_sum.stock import as_ours, is_stock, read_stock_call

FORWARD = "forward"
BACKWARD = "backward"
DIRECTIONS = (FORWARD, BACKWARD)


class RecordedLayer(NamedTuple):
    """
    One run of one direction of one layer.

    # Parameters

    module : `str`
        Where the encoder is in the model, e.g. `encoder`.
    call : `int`
        Which of the encoder's runs it was, from 0.
    layer : `int`
        The layer's index, from 0.
    direction : `str`
        `forward` or `backward`.
    ablation : `str`
        The key of the ablation.
    rows : `List[int]`
        For each row of the parts its place in the batch that the encoder was given.
    batch_size : `int`
        How many rows that batch had: a stock encoder drops those without a step.
    parts : `Parts`
        What the layer computed.
    """

    module: str
    call: int
    layer: int
    direction: str
    ablation: str
    rows: List[int]
    batch_size: int
    parts: Parts


class WeightRecorder:
    """
    A context manager. Within it each run of each recurrent layer with a memory cell is recorded, in
    order, and everything else is as it was: outputs, gradients, random numbers. Our own encoders
    are observed; stock ones (`torch.nn.LSTM`, and AllenNLP's augmented, alternating and stacked
    bidirectional LSTMs) are converted, and what they were given is run through the converted twin.

    In training mode the dropout mask of each run is the one that was drawn. Stock modules do not
    tell theirs, so they are recorded in training mode only without dropout.

    ```
    with WeightRecorder(model) as recorder:
        model.forward_on_instance(instance)
    for layer in recorder.layers:
        norms = weight_norms(layer.parts)
    ```

    # Parameters

    model : `torch.nn.Module`
        The model, or one of its encoders.
    only_layers : `Optional[Collection[int]]`, optional (default = `None`)
        Record these layers alone; `None` means all.
    only_directions : `Optional[Collection[str]]`, optional (default = `None`)
        Record these directions alone, of `forward` and `backward`; `None` means both.

    # Raises

    `ConfigurationError`
        If nothing in the model has a memory cell.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        only_layers: Optional[Collection[int]] = None,
        only_directions: Optional[Collection[str]] = None,
    ) -> None:
        self.layers: List[RecordedLayer] = []
        self._only_layers = only_layers
        self._only_directions = only_directions
        self._model = model
        self._remove: List[Callable[[], Any]] = []
        # For the stock module that is running, how its wrapper sorted the batch, if it did: all
        # rows, longest first.
        self._order: Optional[List[int]] = None
        self._recurrent = find_recurrent_modules(model)

    def __enter__(self) -> "WeightRecorder":
        for name, module in self._recurrent.items():
            if isinstance(module, RecurrentModule):
                self._remove.append(module.add_observer(self._observer(name)).remove)
            else:
                self._remove.append(self._hook(name, module))
        for encoder in self._model.modules():
            if isinstance(encoder, _EncoderBase):
                self._remove.append(self._watch_sorting(encoder))
        return self

    def __exit__(
        self,
        exception_type: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        while self._remove:
            self._remove.pop()()

    def take(self) -> List[RecordedLayer]:
        """What has been recorded since the last `take`; the recorder forgets it."""
        taken, self.layers = self.layers, []
        return taken

    def _observer(self, name: str) -> Callable[[LayerCall], None]:
        def observe(call: LayerCall) -> None:
            self._record(_encoder_name(name), call)

        return observe

    def _hook(self, name: str, module: torch.nn.Module) -> Callable[[], None]:
        def hook(
            module: torch.nn.Module, args: Tuple[Any, ...], kwargs: Dict[str, Any], _: Any
        ) -> None:
            inputs, state = read_stock_call(module, args, kwargs)
            twin = as_ours(module, name)
            twin.add_observer(lambda call: self._record(_encoder_name(name), call, self._order))
            twin(inputs, state)

        try:
            return module.register_forward_hook(hook, with_kwargs=True).remove
        except TypeError:  # before PyTorch 2.0 a hook is not told of keyword arguments

            def positional(module: torch.nn.Module, args: Tuple[Any, ...], output: Any) -> None:
                hook(module, args, {}, output)

            return module.register_forward_hook(positional).remove

    def _watch_sorting(self, encoder: _EncoderBase) -> Callable[[], None]:
        """Remember in which order a stock wrapper hands its rows to its module."""
        original = encoder.sort_and_run_forward

        def watched(
            module: Callable[..., Any],
            inputs: torch.Tensor,
            mask: torch.BoolTensor,
            *rest: Any,
            **more: Any,
        ) -> Any:
            lengths = get_lengths_from_binary_sequence_mask(mask)
            *_, order = sort_batch_by_length(inputs, lengths)
            self._order = order.tolist()
            try:
                return original(module, inputs, mask, *rest, **more)
            finally:
                self._order = None

        encoder.sort_and_run_forward = watched  # type: ignore[method-assign]
        return lambda: encoder.__dict__.pop("sort_and_run_forward", None)

    def _record(self, name: str, call: LayerCall, order: Optional[List[int]] = None) -> None:
        ablation = call.module.ablation
        if self._only_layers is not None and call.layer not in self._only_layers:
            return
        row_count = call.inputs.shape[1]
        batch_size = row_count if order is None else len(order)
        rows = list(range(row_count)) if order is None else order[:row_count]
        width = call.outputs.shape[-1] // len(call.directions)
        for direction, hidden in zip(call.directions, call.outputs.split(width, -1)):
            direction_name = BACKWARD if direction.reverse else FORWARD
            if self._only_directions is not None and direction_name not in self._only_directions:
                continue
            earlier = sum(
                (one.module, one.layer, one.direction) == (name, call.layer, direction_name)
                for one in self.layers
            )
            parts = recompute_parts(
                ablation, call.inputs, call.lengths, direction, hidden, call.highway
            )
            self.layers.append(
                RecordedLayer(
                    name, earlier, call.layer, direction_name, ablation.key, rows, batch_size, parts
                )
            )


def find_recurrent_modules(model: torch.nn.Module) -> Dict[str, torch.nn.Module]:
    """
    # Parameters

    model : `torch.nn.Module`
        A model.

    # Returns

    `Dict[str, torch.nn.Module]`
        By their paths, the modules in it that have a memory cell and can be recorded.

    # Raises

    `ConfigurationError`
        If there is none; the message says what there is instead.
    """
    found: Dict[str, torch.nn.Module] = {}
    without: List[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer + ".") or outer == "" for outer in found):
            continue  # a part of one that was found
        if isinstance(module, RecurrentModule):
            if module.ablation.has_memory_cell:
                found[name] = module
            else:
                without.append(f"{module.ablation.key} at {_encoder_name(name)!r}")
        elif is_stock(module):
            found[name] = module
        elif isinstance(module, torch.nn.RNNBase):
            without.append(f"{type(module).__name__} at {_encoder_name(name)!r}")
    if not found:
        there = f"; it has {', '.join(without)}, without one" if without else ""
        raise ConfigurationError(
            "model: has no recurrent encoder with a memory cell, so there is no weighted sum to "
            f"show{there}. Any lstm, augmented_lstm, alternating_lstm or "
            "stacked_bidirectional_lstm with input and forget gates will do, ours or stock"
        )
    return found


def _encoder_name(path: str) -> str:
    """The path of the encoder that holds a module: what wraps it goes by its name."""
    names = path.split(".")
    if names[-1] in ("forward_lstm", "backward_lstm"):
        names = names[:-1]
    if names[-1:] == ["_module"]:
        names = names[:-1]
    return ".".join(names) or "encoder"
