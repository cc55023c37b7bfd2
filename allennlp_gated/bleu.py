"""BLEU on words, for the decoder of `composed_seq2seq`."""

from typing import Any, Dict, List, Sequence

import torch
from allennlp.data.vocabulary import DEFAULT_OOV_TOKEN
from allennlp.training.metrics import BLEU, Metric
from torch.nn.utils.rnn import pad_sequence

_PADDING, _UNKNOWN_PREDICTION, _UNKNOWN_GOLD, _FIRST_WORD = range(4)


@Metric.register("token_bleu")
class TokenBleu(Metric):
    """
    The corpus BLEU of Papineni et al. 2002 on lists of words: a `token_based_metric` for
    `auto_regressive_seq_decoder`.

    The stock `bleu` is given indices, and so its config must say which of them are padding, start
    and end, which depends on the vocabulary; left unsaid, they are counted as words, and a batch's
    padding changes the score. The decoder hands a token-based metric the words themselves, cut at
    the end symbol. This one numbers them and lets the stock metric count.

    An unknown word that is predicted matches nothing: with the vocabulary's indices it would match
    every word of the reference that the vocabulary happens to lack.

    # Parameters

    ngram_weights : `Sequence[float]`, optional (default = `(0.25, 0.25, 0.25, 0.25)`)
        The weight of the precision of each n-gram size, from 1 up.
    oov_token : `str`, optional (default = `"@@UNKNOWN@@"`)
        The vocabulary's unknown word.
    """

    supports_distributed = True

    def __init__(
        self,
        ngram_weights: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
        oov_token: str = DEFAULT_OOV_TOKEN,
    ) -> None:
        self._oov_token = oov_token
        self._bleu = BLEU(ngram_weights=tuple(ngram_weights), exclude_indices={_PADDING})

    def __call__(  # type: ignore[override]
        self, predicted_tokens: List[List[str]], gold_tokens: List[List[str]]
    ) -> None:
        """
        # Parameters

        predicted_tokens : `List[List[str]]`
            The words of each prediction.
        gold_tokens : `List[List[str]]`
            The words of each reference, in the same order.
        """
        indices: Dict[str, int] = {}

        def numbered(sentences: List[List[str]], unknown: int) -> Any:  # a LongTensor, as BLEU asks
            rows = [
                [
                    unknown
                    if word == self._oov_token
                    else indices.setdefault(word, len(indices) + _FIRST_WORD)
                    for word in words
                ]
                for words in sentences
            ]
            tensors: List[torch.Tensor] = [torch.LongTensor(row) for row in rows]
            # shape: (batch, longest sentence)
            return pad_sequence(tensors, batch_first=True, padding_value=_PADDING)

        self._bleu(
            numbered(predicted_tokens, _UNKNOWN_PREDICTION), numbered(gold_tokens, _UNKNOWN_GOLD)
        )

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """
        # Returns

        `Dict[str, float]`
            `BLEU`, from 0 to 1.
        """
        return self._bleu.get_metric(reset)

    def reset(self) -> None:
        """Forget everything counted."""
        self._bleu.reset()
