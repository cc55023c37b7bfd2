"""
Registers encoders once for each family and each ablation, with the constructor of the family's
module, so that nobody lists the ablations, or a constructor's parameters, a second time.
"""

import inspect
import sys
from typing import Any, Callable, Dict, Type

import torch
from allennlp.common import Registrable

from allennlp_gated.ablation import ABLATIONS, Ablation
from allennlp_gated.augmented import (
    AblatedAugmentedLstm,
    AblatedStackedAlternatingLstm,
    AblatedStackedBidirectionalLstm,
)
from allennlp_gated.lstm import AblatedLstm

# The stock name that an ablation's key is put behind, and our counterpart of what it wraps.
STOCK_FAMILIES: Dict[str, Type[torch.nn.Module]] = {
    "lstm": AblatedLstm,
    "augmented_lstm": AblatedAugmentedLstm,
    "alternating_lstm": AblatedStackedAlternatingLstm,
    "stacked_bidirectional_lstm": AblatedStackedBidirectionalLstm,
}


def register_each_ablation(
    registry: Type[Registrable], wrapper: Type[Any], families: Dict[str, Type[torch.nn.Module]]
) -> None:
    """
    For each family and each key of the table, make a subclass of `wrapper`, register it as
    `{family}_{key}`, and put it into the module of `wrapper` under a name such as
    `LstmNoGatesSeq2SeqEncoder`, so that a fully qualified type name finds it too.

    # Parameters

    registry : `Type[Registrable]`
        Where to register, e.g. `Seq2SeqEncoder`.
    wrapper : `Type`
        What wraps a module: its constructor takes the module, and parameters of its own.
    families : `Dict[str, Type[torch.nn.Module]]`
        The modules' classes by their registered names. The constructor of each takes an ablation
        first; its other parameters, and after them the wrapper's own, are those of what is
        registered.
    """
    for family, module_class in families.items():
        for ablation in ABLATIONS.values():
            registered_name = f"{family}_{ablation.key}"
            name = "".join(word.capitalize() for word in registered_name.split("_"))
            name += registry.__name__
            members = {
                "__init__": _constructor(wrapper, module_class, ablation),
                "__module__": wrapper.__module__,
                "__doc__": f"The {ablation.paper_name} of Levy et al. 2018: a `{wrapper.__name__}` "
                f"around `{module_class.__name__}`, with the parameters of both. "
                f'Registered as a `{registry.__name__}` with name "{registered_name}".',
                "ablation": ablation,
            }
            subclass = type(name, (wrapper,), members)
            setattr(sys.modules[wrapper.__module__], name, subclass)
            registry.register(registered_name)(subclass)


def _constructor(
    wrapper: Type[Any], module_class: Type[torch.nn.Module], ablation: Ablation
) -> Callable[..., None]:
    """A constructor whose signature, which AllenNLP reads, lists both classes' parameters."""
    of_self, _, *of_module = inspect.signature(module_class.__init__).parameters.values()
    _, _, *of_wrapper = inspect.signature(wrapper.__init__).parameters.values()
    parameters = [of_self, *of_module, *of_wrapper]
    # Python wants the parameters that are given by keyword alone after all others.
    signature = inspect.Signature(sorted(parameters, key=lambda parameter: parameter.kind))

    def __init__(*args: Any, **kwargs: Any) -> None:
        given = signature.bind(*args, **kwargs).arguments
        self = given.pop("self")
        for_wrapper = {one.name: given.pop(one.name) for one in of_wrapper if one.name in given}
        wrapper.__init__(self, module_class(ablation, **given), **for_wrapper)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return __init__
