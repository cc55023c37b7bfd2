"""
Since PyTorch 2.6 `torch.load` refuses whatever is not a tensor or a plain container, so that a
checkpoint cannot run code. The state that `--recover` reads may hold numpy scalars: the `cosine`
scheduler, for one, computes the learning rate in numpy, and the optimizer's state keeps it.
"""

from typing import Any

import numpy
import torch
from packaging.version import Version

SCALARS = (
    numpy.bool_,
    numpy.int32,
    numpy.int64,
    numpy.float32,
    numpy.float64,
)


def mend() -> None:
    """Let those scalars through by name. They are data alone, and the check stays on."""
    if Version(torch.__version__) < Version("2.6"):  # it loads anything there
        return
    scalar: Any = numpy.float64(0).__reduce__()[0]
    torch.serialization.add_safe_globals(
        [
            scalar,
            # What numpy 1 called the same function: the checkpoint may come from the pinned stack.
            (scalar, "numpy.core.multiarray.scalar"),
            numpy.dtype,
            *(type(numpy.dtype(kind)) for kind in SCALARS),
        ]
    )
