"""Stock LSTMs, PyTorch's and AllenNLP's, converted to ours so that their parts can be recorded."""

from typing import Any, Callable, Dict, Optional, Tuple, Type

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.augmented_lstm import AugmentedLstm
from allennlp.modules.stacked_alternating_lstm import StackedAlternatingLstm
from allennlp.modules.stacked_bidirectional_lstm import StackedBidirectionalLstm
from torch.nn.utils.rnn import PackedSequence

from allennlp_gated.augmented import (
    AblatedAugmentedLstm,
    AblatedStackedAlternatingLstm,
    AblatedStackedBidirectionalLstm,
)
from allennlp_gated.lstm import AblatedLstm
from allennlp_gated.recurrent_module import Inputs, RecurrentModule

_CONVERSIONS: Dict[Type[torch.nn.Module], Callable[[Any], RecurrentModule]] = {
    torch.nn.LSTM: AblatedLstm.from_torch,
    AugmentedLstm: AblatedAugmentedLstm.from_stock,
    StackedAlternatingLstm: AblatedStackedAlternatingLstm.from_stock,
    StackedBidirectionalLstm: AblatedStackedBidirectionalLstm.from_stock,
}


def is_stock(module: torch.nn.Module) -> bool:
    """Whether a module is one of those that can be converted."""
    return isinstance(module, tuple(_CONVERSIONS))


def as_ours(module: torch.nn.Module, name: str) -> RecurrentModule:
    """
    # Parameters

    module : `torch.nn.Module`
        A stock LSTM.
    name : `str`
        Where it is in the model, for the error.

    # Returns

    `RecurrentModule`
        One of ours that computes the same, with copies of its weights.

    # Raises

    `ConfigurationError`
        If it is in training mode with a dropout whose masks it draws anew and tells nobody.
    """
    convert = next(one for stock, one in _CONVERSIONS.items() if isinstance(module, stock))
    # A new module draws initial weights: without taking random numbers from whoever is training.
    with torch.random.fork_rng(devices=[]):
        twin = convert(module)
    dropouts = ("dropout", "recurrent_dropout_probability", "layer_dropout_probability")
    if module.training and any(getattr(twin, dropout, 0) > 0 for dropout in dropouts):
        raise ConfigurationError(
            f"model: the stock {type(module).__name__} at {name!r} draws dropout masks in training "
            "mode that it does not tell; call model.eval() first, or use the encoder of this "
            "package that it converts to"
        )
    return twin


def read_stock_call(
    module: torch.nn.Module, args: Tuple[Any, ...], kwargs: Dict[str, Any]
) -> Tuple[Inputs, Optional[Tuple[torch.Tensor, ...]]]:
    """
    # Parameters

    module : `torch.nn.Module`
        A stock LSTM that was called.
    args, kwargs : `Tuple[Any, ...]`, `Dict[str, Any]`
        What it was called with.

    # Returns

    `Tuple[Inputs, Optional[Tuple[torch.Tensor, ...]]]`
        The inputs, batch first or packed, and the initial state, as ours take them.
    """
    given = list(args)
    for name in ("input", "inputs", "hx", "initial_state", "states"):
        if name in kwargs:
            given.append(kwargs[name])
    inputs, state = given[0], given[1] if len(given) > 1 else None
    if not isinstance(inputs, PackedSequence):
        if inputs.dim() == 2:  # one sequence without a batch dimension
            inputs = inputs.unsqueeze(0)
            state = None if state is None else tuple(one.unsqueeze(1) for one in state)
        elif not getattr(module, "batch_first", True):
            inputs = inputs.transpose(0, 1)
    return inputs, state
