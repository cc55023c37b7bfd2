"""
The scheduler `reduce_on_plateau`, which the stock BiDAF config names, hands `verbose` to PyTorch's
`ReduceLROnPlateau`. PyTorch has removed that argument, so the trainer cannot be built.
"""

import functools
import inspect
import logging
from typing import Any

from allennlp.training.learning_rate_schedulers import ReduceOnPlateauLearningRateScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

logger = logging.getLogger(__name__)


def mend() -> None:
    """Build the scheduler without `verbose`, where PyTorch no longer takes it."""
    stock_init = ReduceOnPlateauLearningRateScheduler.__init__
    if "verbose" in inspect.signature(ReduceLROnPlateau).parameters:
        return
    if hasattr(stock_init, "__wrapped__"):
        return

    # `wraps` keeps the stock signature, which is where AllenNLP reads what a config may say.
    @functools.wraps(stock_init)
    def init(self: ReduceOnPlateauLearningRateScheduler, *args: Any, **kwargs: Any) -> None:
        bound = inspect.signature(stock_init).bind(self, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        del arguments["self"]
        if arguments.pop("verbose"):
            logger.warning("reduce_on_plateau: PyTorch has removed `verbose`; it has no effect.")
        scheduler: Any = ReduceLROnPlateau(**arguments)
        super(ReduceOnPlateauLearningRateScheduler, self).__init__(scheduler)

    ReduceOnPlateauLearningRateScheduler.__init__ = init  # type: ignore[method-assign]
