"""`StreamLanguageModel`: predicts each next word of a stream, with the state carried along."""

from typing import Any, Dict, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import Seq2SeqEncoder, TextFieldEmbedder
from allennlp.nn import InitializerApplicator

from allennlp_gated.checks import check_dropout
from allennlp_gated.language_model.perplexity import TokenPerplexity

_IGNORED = -100


@Model.register("stream_language_model")
class StreamLanguageModel(Model):
    """
    The language model of Zaremba et al. 2014 for the batches of `TokenStreamDataLoader`. The
    contextualizer is stateful: it starts each batch with the state that it ended the previous one
    with, detached, and with zeros where a batch says that it starts the stream.

    Dropout falls on the non-recurrent connections: what enters each layer, and what leaves the
    last one. The model drops the embeddings and the contextualizer's outputs; what passes between
    layers is the contextualizer's own `dropout`, to be given the same value.

    Registered as a `Model` with name "stream_language_model".

    # Parameters

    vocab : `Vocabulary`
    text_field_embedder : `TextFieldEmbedder`
        Embeds the words.
    contextualizer : `Seq2SeqEncoder`
        Stateful and of one direction.
    dropout : `float`, optional (default = `0.0`)
        The probability to drop a value that enters or leaves the contextualizer.
    namespace : `str`, optional (default = `"tokens"`)
        The vocabulary namespace of the words.
    initializer : `InitializerApplicator`, optional (default = `InitializerApplicator()`)

    # Raises

    `ConfigurationError`
        If the contextualizer is not stateful, or sees the words that it has to predict.
    """

    default_predictor = "stream_language_model"

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        contextualizer: Seq2SeqEncoder,
        dropout: float = 0.0,
        namespace: str = "tokens",
        initializer: Optional[InitializerApplicator] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if not contextualizer.stateful:
            raise ConfigurationError("contextualizer.stateful: must be true")
        if contextualizer.is_bidirectional():
            raise ConfigurationError("contextualizer.bidirectional: must be false")
        check_dropout("dropout", dropout)
        self._text_field_embedder = text_field_embedder
        self._contextualizer = contextualizer
        self._dropout = torch.nn.Dropout(dropout)
        self._softmax = torch.nn.Linear(
            contextualizer.get_output_dim(), vocab.get_vocab_size(namespace)
        )
        self._perplexity = TokenPerplexity()
        if initializer is not None:
            initializer(self)

    def forward(
        self,
        source: TextFieldTensors,
        targets: torch.Tensor,
        mask: torch.Tensor,
        starts_stream: bool,
    ) -> Dict[str, torch.Tensor]:
        """
        # Parameters

        source : `TextFieldTensors`
            Words, shape (B, T).
        targets : `torch.Tensor`
            The word that follows each of them, shape (B, T).
        mask : `torch.Tensor`
            Which of them are there, shape (B, T).
        starts_stream : `bool`
            Whether to forget what came before.

        # Returns

        `Dict[str, torch.Tensor]`
            `loss`: the negative log-likelihood, summed over the steps and averaged over the rows.
            This is the scale to which the learning rate and the gradient norm of Zaremba et al.
            belong: back-propagation through 20 steps gives 20 times the gradient of their mean.
        """
        if starts_stream:
            self._contextualizer.reset_states()
        # shape: (B, T, H)
        hidden = self._contextualizer(self._dropout(self._text_field_embedder(source)), mask)
        # shape: (B, T, words)
        logits = self._softmax(self._dropout(hidden))
        loss_sum = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1),
            targets.masked_fill(~mask, _IGNORED).flatten(),
            reduction="sum",
            ignore_index=_IGNORED,
        )
        self._perplexity(loss_sum.detach(), int(mask.sum()))
        return {"loss": loss_sum / targets.shape[0]}

    @property
    def carried_state(self) -> Optional[Tuple[torch.Tensor, ...]]:
        """What the next batch starts from: each of shape (layers, B, size), or `None` for zeros."""
        return self._contextualizer._states

    @carried_state.setter
    def carried_state(self, state: Optional[Tuple[torch.Tensor, ...]]) -> None:
        self._contextualizer._states = state

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        return {"perplexity": self._perplexity.get_metric(reset)}
