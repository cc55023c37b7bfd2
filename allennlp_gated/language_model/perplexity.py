"""`TokenPerplexity`: perplexity over all predictions, however they were batched."""

import math

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric


@Metric.register("token_perplexity")
class TokenPerplexity(Metric):
    """
    exp of the summed negative log-likelihood over the number of predictions. AllenNLP's own
    `perplexity` averages over batches instead, whatever their sizes.

    Registered as a `Metric` with name "token_perplexity".
    """

    def __init__(self) -> None:
        self.reset()

    def __call__(self, loss_sum: torch.Tensor, count: int) -> None:  # type: ignore[override]
        """
        # Parameters

        loss_sum : `torch.Tensor`
            The negative log-likelihoods (base e) of a batch's predictions, summed: shape ().
        count : `int`
            How many predictions there are.
        """
        self._loss_sum += dist_reduce_sum(loss_sum.item())
        self._count += dist_reduce_sum(count)

    def get_metric(self, reset: bool = False) -> float:
        """
        # Returns

        `float`
            The perplexity; infinite if it is too large for a float, and 0.0 before the first
            prediction, as in AllenNLP's own.
        """
        try:
            perplexity = math.exp(self._loss_sum / self._count) if self._count else 0.0
        except OverflowError:
            perplexity = math.inf
        if reset:
            self.reset()
        return perplexity

    def reset(self) -> None:
        self._loss_sum = 0.0
        self._count = 0
