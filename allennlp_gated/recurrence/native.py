"""
The compiled kernels: found beside this file, loaded when they are first asked for, and never
needed. `setup.py` builds them from `csrc`; the structs mirror `csrc/gated.h`.
"""

import ctypes
import logging
import os
import threading
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, ClassVar, Optional, Tuple

import torch

from allennlp_gated import ablation as parts

logger = logging.getLogger(__name__)

ABI = 1
MAX_DIRECTIONS = 2

# In the order of `GatedBlock` and of `GatedIsa`.
BLOCKS = (
    parts.INPUT_GATE,
    parts.FORGET_GATE,
    parts.CONTENT,
    parts.OUTPUT_GATE,
    parts.HIGHWAY_GATE,
    parts.HIGHWAY_INPUT,
)
INSTRUCTION_SETS = ("baseline", "avx2", "avx512")

_Integer = ctypes.c_int64
_Pointer = ctypes.c_void_p
_BlockIndex = _Integer * len(BLOCKS)


class DirectionStruct(ctypes.Structure):
    """`GatedDirection`."""

    _fields_ = [("reverse", _Integer)] + [
        (name, _Pointer)
        for name in (
            "weight_ih",
            "weight_hh",
            "bias",
            "weight_hr",
            "hidden_0",
            "memory_cell_0",
            "hidden_dropout_mask",
            "gates",
            "memory_cells",
            "final_hidden",
            "final_memory_cell",
            "grad_final_hidden",
            "grad_final_memory_cell",
            "grad_weight_ih",
            "grad_weight_hh",
            "grad_bias",
            "grad_weight_hr",
            "grad_hidden_0",
            "grad_memory_cell_0",
        )
    ]


class LayerStruct(ctypes.Structure):
    """`GatedLayer`."""

    _fields_: ClassVar[Any] = [
        (name, _Integer)
        for name in (
            "is_double",
            "isa",
            "threads",
            "own_threads",
            "steps",
            "batch_size",
            "input_size",
            "hidden_size",
            "recurrent_size",
            "num_directions",
            "valid_steps",
            "keep",
        )
    ] + [
        ("input_block", _BlockIndex),
        ("hidden_block", _BlockIndex),
        ("bias_block", _BlockIndex),
        ("lengths", _Pointer),
        ("inputs", _Pointer),
        ("inputs_stride_t", _Integer),
        ("inputs_stride_b", _Integer),
        ("outputs", _Pointer),
        ("outputs_stride_t", _Integer),
        ("outputs_stride_b", _Integer),
        ("grad_outputs", _Pointer),
        ("grad_outputs_stride_t", _Integer),
        ("grad_outputs_stride_b", _Integer),
        ("grad_inputs", _Pointer),
        ("grad_inputs_stride_t", _Integer),
        ("grad_inputs_stride_b", _Integer),
        ("scratch", _Pointer),
        ("directions", DirectionStruct * MAX_DIRECTIONS),
    ]


class Kernels:
    """
    The loaded binary.

    # Parameters

    path : `str`
        The shared library.

    # Raises

    `OSError`, `AttributeError`
        If it cannot be loaded, or is not a build of this version's sources.
    """

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        library.gated_abi.restype = _Integer
        if library.gated_abi() != ABI:
            raise OSError(f"{path} has interface {library.gated_abi()}, not {ABI}: build it again")
        for name in ("gated_has", "gated_supports"):
            function = getattr(library, name)
            function.argtypes, function.restype = [_Integer], _Integer
        library.gated_set_openmp.argtypes, library.gated_set_openmp.restype = [_Pointer], None
        layer = ctypes.POINTER(LayerStruct)
        library.gated_scratch.argtypes = [layer, _Integer]
        library.gated_scratch.restype = _Integer
        for name in ("gated_forward", "gated_backward"):
            function = getattr(library, name)
            function.argtypes, function.restype = [layer], None
        self.scratch = library.gated_scratch
        self.forward = library.gated_forward
        self.backward = library.gated_backward
        self._library = library
        self._process = os.getpid()
        library.gated_set_openmp(_openmp_of_torch())

    def why_not(self, instruction_set: str) -> Optional[str]:
        """
        # Parameters

        instruction_set : `str`
            One of `INSTRUCTION_SETS`.

        # Returns

        `Optional[str]`
            Why it cannot be used here, or `None` if it can.
        """
        isa = INSTRUCTION_SETS.index(instruction_set)
        if not self._library.gated_has(isa):
            return f"the kernels were built without {instruction_set}"
        if not self._library.gated_supports(isa):
            return f"this processor has no {instruction_set}"
        return None

    @property
    def forked(self) -> bool:
        """
        Whether this process was forked from the one that loaded the kernels: the threads of an
        OpenMP pool do not survive that, and waiting for them would never end.
        """
        return os.getpid() != self._process


def _openmp_of_torch() -> Optional[int]:
    """The address of `GOMP_parallel` in the OpenMP runtime that torch itself links to."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        # Loaded already, so this opens nothing new; the look-up goes through its dependencies.
        function = ctypes.CDLL(str(library)).GOMP_parallel
    except (OSError, AttributeError):
        return None
    return ctypes.cast(function, _Pointer).value


_lock = threading.Lock()
_loaded: Optional[Tuple[Optional[Kernels], str]] = None


def binary() -> Optional[Path]:
    """
    # Returns

    `Optional[Path]`
        Where the compiled kernels are, or `None` if they were not built.
    """
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name("_kernels" + suffix)
        if path.exists():
            return path
    return None


def load() -> Tuple[Optional[Kernels], str]:
    """
    Loads the kernels at the first call, and says once if there are none.

    # Returns

    `Tuple[Optional[Kernels], str]`
        The kernels, or `None` and the reason why there are none.
    """
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                _loaded = _load()
    return _loaded


def _load() -> Tuple[Optional[Kernels], str]:
    path = binary()
    if path is None:
        reason = "the compiled kernels were not built (no C++ compiler when it was installed?)"
        logger.warning("%s; using the slower PyTorch path", reason)
        return None, reason
    try:
        return Kernels(str(path)), ""
    except (OSError, AttributeError) as error:
        reason = f"the compiled kernels cannot be loaded: {error}"
        logger.warning("%s; using the slower PyTorch path", reason)
        return None, reason
