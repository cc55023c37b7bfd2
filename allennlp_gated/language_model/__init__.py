"""
Language modelling as Zaremba et al. 2014 do it, "Recurrent Neural Network Regularization"
(https://arxiv.org/abs/1409.2329): a text is one stream of words, read in rows of consecutive
pieces, and the state of the LSTM is carried from each batch to the next.
"""

from allennlp_gated.language_model.carried_state import CarriedStateCallback
from allennlp_gated.language_model.perplexity import TokenPerplexity
from allennlp_gated.language_model.stream_language_model import StreamLanguageModel
from allennlp_gated.language_model.stream_language_model_predictor import (
    StreamLanguageModelPredictor,
)
from allennlp_gated.language_model.token_stream import TokenStreamDataLoader
from allennlp_gated.language_model.token_stream_reader import TokenStreamReader

__all__ = [
    "CarriedStateCallback",
    "StreamLanguageModel",
    "StreamLanguageModelPredictor",
    "TokenPerplexity",
    "TokenStreamDataLoader",
    "TokenStreamReader",
]
