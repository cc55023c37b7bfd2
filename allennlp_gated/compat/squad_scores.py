"""
`SquadEmAndF1` reduces over the workers at each call, and BiDAF calls it once per question. Workers
whose last batches differ in size then wait for each other in different reductions, and the run
aborts. It is mended by counting on each worker and reducing once, when the epoch's scores are due.
"""

from typing import Any, Tuple, TypeVar

import torch
from allennlp.common.util import is_distributed
from allennlp.nn.util import dist_reduce_sum

Value = TypeVar("Value", int, float)


def keep_local(value: Value) -> Value:
    """What takes the place of the reduction at each call: a worker's own `value` stays its own."""
    return value


def mend() -> None:
    """
    Reduce the counts when the trainer asks for the scores of an epoch, `get_metric(reset=True)`,
    which all workers do together. Scores asked for in between, for the progress bar, are those of
    the worker that asks.
    """
    try:
        from allennlp_models.rc.metrics import squad_em_and_f1
    except ImportError:  # allennlp-models is broken or absent, and with it this metric
        return
    if squad_em_and_f1.dist_reduce_sum is keep_local:
        return
    metric = squad_em_and_f1.SquadEmAndF1
    stock_get_metric = metric.get_metric

    def get_metric(self: Any, reset: bool = False) -> Tuple[float, float]:
        if reset and is_distributed():
            counts = torch.tensor([self._total_em, self._total_f1, self._count], dtype=torch.double)
            self._total_em, self._total_f1, self._count = dist_reduce_sum(counts).tolist()
        return stock_get_metric(self, reset)

    squad_em_and_f1.dist_reduce_sum = keep_local
    metric.get_metric = get_metric
