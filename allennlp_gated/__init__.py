"""
An AllenNLP plugin that takes the LSTM apart: the ablations of Levy et al. 2018, "Long Short-Term
Memory as a Dynamically Computed Element-wise Weighted Sum", as stock encoders.

Importing it registers everything, and neither builds nor loads anything else.
"""

from allennlp_gated import (
    bleu,
    commands,
    compat,
    data,
    decoder_nets,
    initializers,
    language_model,
    seq2seq_encoders,
    seq2vec_encoders,
    weighted_sum,
)
from allennlp_gated.ablation import ABLATIONS, Ablation, Layout, get_ablation
from allennlp_gated.lstm import AblatedLstm
from allennlp_gated.version import VERSION

__version__ = VERSION

__all__ = [
    "ABLATIONS",
    "AblatedLstm",
    "Ablation",
    "Layout",
    "bleu",
    "commands",
    "compat",
    "data",
    "decoder_nets",
    "get_ablation",
    "initializers",
    "language_model",
    "seq2seq_encoders",
    "seq2vec_encoders",
    "weighted_sum",
]
