"""
Importing this makes float64 the default, here and in the processes of a run that includes it: sums
in another order then differ by less than any mistake does.
"""

import torch

torch.set_default_dtype(torch.float64)
