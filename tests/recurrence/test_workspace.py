"""Buffers come back whenever they are dropped, be it while the pool is at work."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

from allennlp_gated.recurrence import workspace


class Cycle:
    """Holds a buffer, and itself: only the garbage collector drops it."""

    def __init__(self, size: int) -> None:
        self.buffer = workspace.Buffer(size)
        self.itself = self


def test_a_buffer_that_the_garbage_collector_drops_while_another_is_taken(monkeypatch) -> None:
    pool = workspace._Pool()
    monkeypatch.setattr(workspace, "_pool", pool)
    Cycle(5000)
    address = []

    def take() -> None:
        with pool._lock:  # as within `take`, where any allocation may start a collection
            gc.collect()
        address.append(workspace.Buffer(5000).address)

    # A thread of its own, so that a deadlock fails the test and does not hang it.
    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()
    # It was not lost: the next one who asks gets it.
    assert len(address) == 1 and workspace.idle()[0] == 1


def test_threads_that_take_and_give_at_once(monkeypatch) -> None:
    pool = workspace._Pool()
    monkeypatch.setattr(workspace, "_pool", pool)

    def work(_: int) -> None:
        for i in range(300):
            first, second = workspace.Buffer(5000 + i), workspace.Buffer(5000)
            assert first.address != second.address

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))  # raises what any of them raised
    # Each came back once. How many there are depends on which threads met.
    count, size = workspace.idle()
    assert 2 <= count == len({one.data_ptr() for one in pool._idle})
    assert size == sum(one.numel() for one in pool._idle)
