"""Equation 8: what the memory cell computes, as weights, records, pictures and summaries."""

from allennlp_gated.weighted_sum.interpreter import WeightedSumInterpreter
from allennlp_gated.weighted_sum.parts import Parts, recompute_parts
from allennlp_gated.weighted_sum.recorder import RecordedLayer, WeightRecorder
from allennlp_gated.weighted_sum.weights import (
    LargestWeights,
    initial_state_weights,
    largest_weights,
    weight_norms,
    weighted_sums,
    weights,
    weights_at,
)

__all__ = [
    "LargestWeights",
    "Parts",
    "RecordedLayer",
    "WeightRecorder",
    "WeightedSumInterpreter",
    "initial_state_weights",
    "largest_weights",
    "recompute_parts",
    "weight_norms",
    "weighted_sums",
    "weights",
    "weights_at",
]
