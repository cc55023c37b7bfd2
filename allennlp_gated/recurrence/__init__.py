"""
Functions on tensors that compute the recurrences: no modules, no AllenNLP.

`run_layer` is the one door. It has the signature of `reference.run_layer`, the equations as they
are written, and may take a faster path to the same numbers.
"""

from allennlp_gated.recurrence.direction import Direction, State
from allennlp_gated.recurrence.reference import run_layer

__all__ = ["Direction", "State", "run_layer"]
