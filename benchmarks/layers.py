"""
One layer: ours beside the stock encoders, nn.LSTM, the eager loop, torch.compile of it, and SRU.

    python -m benchmarks.layers --shape parser --threads 2 --allocator default
"""

import argparse
from typing import Any, Dict, List, Union

import torch

from allennlp_gated.ablation import ABLATIONS
from benchmarks.contestants import SHAPES, Problem
from benchmarks.measure import interleave, parse_settings, peak_bytes, save, seconds_of, trim


def rate(problem: Problem, contestant: str, seconds: float) -> Union[float, str]:
    """How fast the products of an ablation are made; what others multiply is theirs to say."""
    key = contestant.split(",")[0]
    return problem.operations(key) / seconds / 1e9 if key in ABLATIONS else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=[*SHAPES, "all"], default="all")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--seconds", type=float, default=40, help="limit for each table")
    parser.add_argument("--slow", action="store_true", help="plain PyTorch and eager loops too")
    parser.add_argument(
        "--compile", nargs="*", default=[], metavar="KEY", help="torch.compile too: minutes per key"
    )
    parser.add_argument("--ragged-only", action="store_true")
    parser.add_argument("--products", action="store_true", help="what ours multiply, by torch.mm")
    parser.add_argument("--memory", action="store_true", help="peak memory too (Linux)")
    parser.add_argument("--forward-only", action="store_true")
    parser.add_argument("--name", help="of the results; default: from the options")
    arguments = parse_settings(parser)
    torch.set_num_interop_threads(1)
    if arguments.compile:
        # What an earlier run compiled would hide how long it takes.
        from torch._inductor import config as inductor

        inductor.force_disable_caches = True
    rows: List[Dict[str, Any]] = []
    for name in SHAPES if arguments.shape == "all" else [arguments.shape]:
        for ragged in (True,) if arguments.ragged_only else (False, True):
            problem = Problem(SHAPES[name], ragged, backward=not arguments.forward_only)
            contestants = problem.all(arguments.slow, arguments.compile, arguments.products)
            compiling = {
                contestant: seconds_of(contestants[contestant])
                for contestant in (f"{key}, torch.compile" for key in arguments.compile)
            }
            for contestant, seconds in compiling.items():
                print(f"{contestant}: {seconds:.0f} s before the first step", flush=True)
            trim()
            timings = interleave(contestants, arguments.rounds, "nn.LSTM dense", arguments.seconds)
            stock = timings["stock lstm"].median
            for contestant, timing in timings.items():
                row = {
                    "shape": name,
                    "batch": "ragged" if ragged else "dense",
                    "layer": contestant,
                    "ms": timing.median * 1e3,
                    "quartiles": f"{timing.low * 1e3:.3g}-{timing.high * 1e3:.3g}",
                    "of nn.LSTM dense": timing.ratio,
                    "of stock lstm": timing.median / stock,
                    "GFLOP/s": rate(problem, contestant, timing.median),
                    "page faults": timing.faults,
                }
                if arguments.compile:
                    row["compiling s"] = compiling.get(contestant, 0)
                if arguments.memory:
                    row["peak MB"] = peak_bytes(contestants[contestant]) / 1e6
                rows.append(row)
                print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    direction = "forward" if arguments.forward_only else "training"
    save(
        arguments.name
        or f"layers_{arguments.shape}_{direction}_{arguments.threads}t_{arguments.allocator}",
        rows,
    )


if __name__ == "__main__":
    main()
