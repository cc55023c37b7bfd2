"""
Buffers that are used again. A layer's activations are megabytes, which malloc takes from the kernel
and gives back at each call, and the page faults cost as much as the arithmetic.
"""

import threading
from collections import deque
from typing import Deque, List, Optional, Tuple

import torch

# Idle buffers beyond this are given back: about what the stock parser's three layers keep.
MAX_IDLE_BYTES = 256 * 1024 * 1024
# A buffer starts where torch's allocator puts it: at a multiple of 64 bytes.


class _Pool:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: List[torch.Tensor] = []
        self._idle_bytes = 0
        # What has come back and is not yet among the idle ones.
        self._returned: Deque[torch.Tensor] = deque()

    def take(self, size: int) -> torch.Tensor:
        """A buffer of at least `size` bytes, the smallest that is idle and not far too large."""
        with self._lock:
            self._collect()
            best: Optional[int] = None
            for i, buffer in enumerate(self._idle):
                fits = size <= buffer.numel() <= 2 * size + 65536
                if fits and (best is None or buffer.numel() < self._idle[best].numel()):
                    best = i
            if best is not None:
                buffer = self._idle.pop(best)
                self._idle_bytes -= buffer.numel()
                return buffer
        # Rounded up, so that batches of nearly equal lengths find each other's buffers.
        unit = max(4096, 1 << max(0, size.bit_length() - 4))
        with torch.no_grad():
            return torch.empty((size + unit - 1) // unit * unit, dtype=torch.uint8)

    def give(self, buffer: torch.Tensor) -> None:
        """
        Takes a buffer back, and never waits: the garbage collector may drop a buffer, and so call
        this, at any moment, even while the same thread holds the lock.
        """
        self._returned.append(buffer)
        if self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()

    def _collect(self) -> None:
        while self._returned:
            buffer = self._returned.popleft()
            self._idle.append(buffer)
            self._idle_bytes += buffer.numel()
            while self._idle_bytes > MAX_IDLE_BYTES:
                self._idle_bytes -= self._idle.pop(0).numel()

    def clear(self) -> None:
        """Gives all idle buffers back."""
        with self._lock:
            self._returned.clear()
            self._idle.clear()
            self._idle_bytes = 0


_pool = _Pool()


class Buffer:
    """
    Bytes borrowed from the pool until this object dies.

    # Parameters

    size : `int`
        How many bytes at least.
    """

    def __init__(self, size: int) -> None:
        self._bytes = _pool.take(size)

    @property
    def address(self) -> int:
        """Where it starts."""
        return self._bytes.data_ptr()

    def __del__(self) -> None:
        _pool.give(self._bytes)


def idle() -> Tuple[int, int]:
    """
    # Returns

    `Tuple[int, int]`
        How many buffers are idle, and how many bytes they are together.
    """
    with _pool._lock:
        _pool._collect()
        return len(_pool._idle), _pool._idle_bytes


def clear() -> None:
    """Gives the idle buffers back to the allocator; the next layers take new ones."""
    _pool.clear()
