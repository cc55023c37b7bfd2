"""Timing several contestants side by side in one process, and what is said about the machine."""

import argparse
import ctypes
import gc
import json
import os
import platform
import resource
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

import torch

from allennlp_gated.recurrence import workspace

RESULTS = Path(__file__).parent / "results"
# Keeps freed memory in the process, so that neither side pays for page faults.
TUNED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}
MARK = "BENCHMARK_ALLOCATOR"


class Timing(NamedTuple):
    """Seconds: the median over the rounds, the quartiles, the median ratio, and page faults."""

    median: float
    low: float
    high: float
    ratio: float
    faults: float


def with_allocator(name: str) -> None:
    """
    Starts this command again under the named allocator setting, unless it runs under it already:
    malloc reads its settings once, when a process starts.

    # Parameters

    name : `str`
        `default` or `tuned`.
    """
    if os.environ.get(MARK) == name:
        return
    environment = {key: value for key, value in os.environ.items() if key not in TUNED}
    environment[MARK] = name
    if name == "tuned":
        environment.update(TUNED)
    spec = sys.modules["__main__"].__spec__
    assert spec is not None, "run it with python -m"
    module = ["-m", spec.name]
    os.execve(sys.executable, [sys.executable, *module, *sys.argv[1:]], environment)


def parse_settings(
    parser: argparse.ArgumentParser, allocator: str = "default"
) -> argparse.Namespace:
    """
    Parses the command line of a benchmark and sets what all of them let one set: `--threads` and
    `--allocator`.

    # Parameters

    parser : `argparse.ArgumentParser`
        With the benchmark's own options.
    allocator : `str`, optional (default = `"default"`)
        The default of `--allocator`.

    # Returns

    `argparse.Namespace`
        All options.
    """
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--allocator", choices=["default", "tuned"], default=allocator)
    arguments = parser.parse_args()
    with_allocator(arguments.allocator)
    torch.set_num_threads(arguments.threads)
    return arguments


def interleave(
    contestants: Dict[str, Callable[[], Any]], rounds: int, against: str, seconds: float = 60.0
) -> Dict[str, Timing]:
    """
    Times each contestant once per round, so that whatever else the machine does meets all of them.

    # Parameters

    contestants : `Dict[str, Callable[[], Any]]`
        What to time.
    rounds : `int`
        How many rounds, after two that are not counted.
    against : `str`
        The contestant by whose time of the same round each time is divided.
    seconds : `float`
        When to stop early; at least three rounds are made.

    # Returns

    `Dict[str, Timing]`
        The result of each.
    """
    times: Dict[str, List[float]] = {name: [] for name in contestants}
    faults: Dict[str, List[int]] = {name: [] for name in contestants}
    started = time.perf_counter()
    gc.collect()
    gc.disable()
    try:
        for one in range(rounds + 2):
            if one >= 5 and time.perf_counter() - started > seconds:
                break
            for name, run in contestants.items():
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
                start = time.perf_counter()
                run()
                elapsed = time.perf_counter() - start
                if one >= 2:
                    times[name].append(elapsed)
                    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
                    faults[name].append(after - before)
    finally:
        gc.enable()
    results = {}
    for name, mine in times.items():
        low, _, high = statistics.quantiles(mine, n=4)
        ratio = statistics.median(a / b for a, b in zip(mine, times[against]))
        results[name] = Timing(
            statistics.median(mine), low, high, ratio, statistics.median(faults[name])
        )
    return results


def seconds_of(run: Callable[[], Any]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak_bytes(run: Callable[[], Any]) -> int:
    """
    # Parameters

    run : `Callable[[], Any]`
        What to watch.

    # Returns

    `int`
        By how much the largest memory of a process grows that does this once, in bytes.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # A forked child must not use the parent's OpenMP pool.
        torch.set_num_threads(1)
        # What our layers keep from one call to the next belongs to the one that is measured.
        workspace.clear()
        trim()
        # 5 resets the peak that the kernel remembers.
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        run()
        os.write(writer, str(_status("VmHWM") - before).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    answer = os.read(reader, 64).decode()
    os.close(reader)
    return int(answer) if answer else -1


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def trim() -> None:
    """Gives freed memory back to the kernel, so that the next measurement starts even."""
    gc.collect()
    with suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def machine() -> Dict[str, Any]:
    """
    # Returns

    `Dict[str, Any]`
        What a reader must know to make sense of the numbers.
    """
    model, caches = platform.processor(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines.items()}
        model = fields.get("model name", model)
        caches = ", ".join(
            name for name in ("avx2", "avx512f") if name in fields.get("flags", "").split()
        )
    return {
        "processor": f"{model}, {os.cpu_count()} cores, {caches}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "allocator": os.environ.get(MARK, "default"),
        "load": os.getloadavg()[0],
        "command": " ".join(sys.argv[1:]),
    }


def save(name: str, rows: List[Dict[str, Any]]) -> None:
    """
    Writes `results/<name>.json` and the same as a table, `results/<name>.md`.

    # Parameters

    name : `str`
        What to call it.
    rows : `List[Dict[str, Any]]`
        One dictionary per row, all with the same keys.
    """
    RESULTS.mkdir(exist_ok=True)
    about = machine()
    document = {"machine": about, "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    text = [f"{key}: {value}" for key, value in about.items()]
    lines = [", ".join(text), ""]
    columns = list(rows[0])
    lines.append("| " + " | ".join(columns) + " |")
    lines.append("| " + " | ".join("---" for _ in columns) + " |")
    for row in rows:
        lines.append("| " + " | ".join(_cell(row[column]) for column in columns) + " |")
    (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n")


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
