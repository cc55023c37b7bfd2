"""
Functions on tensors that compute the recurrences: no modules, no AllenNLP.

`run_layer` is the one door. It has the signature of `reference.run_layer`, the equations as they
are written, and takes the fastest path to the same numbers.
"""

from allennlp_gated.recurrence.backends import available_backends, run_layer
from allennlp_gated.recurrence.direction import Direction, State

__all__ = ["Direction", "State", "available_backends", "run_layer"]
