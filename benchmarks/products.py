"""
The product of the inputs with W_x and its two gradients: our kernels' blocked product (timed as a
layer whose recurrence costs almost nothing) beside torch.mm and torch's mkldnn linear.

    python -m benchmarks.products --threads 2
"""

import argparse
from typing import Any, Callable, Dict, List

import torch

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import Direction, run_layer
from benchmarks.measure import interleave, parse_settings, save

# Rows, inputs, columns: one direction of the parser, of BiDAF's two layers, and of PTB medium.
SIZES = [(960, 200, 1600), (6000, 200, 400), (6000, 800, 400), (700, 650, 2600)]


def contestants(rows: int, inputs: int, columns: int) -> Dict[str, Callable[[], Any]]:
    """The forward product, by each."""
    ablation = ABLATIONS["no_srnn_no_hidden"]
    x, weight = torch.randn(rows, inputs), torch.randn(columns, inputs)
    found: Dict[str, Callable[[], Any]] = {"torch.mm": lambda: torch.mm(x, weight.t())}
    linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if torch.backends.mkldnn.is_available() and linear is not None:
        found["mkldnn"] = lambda: linear(x, weight, None, "none", [], "")
    found["ours, with gates and cell"] = lambda: run_layer(
        ablation, x.unsqueeze(1), None, [Direction(weight)]
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    arguments = parse_settings(parser, allocator="tuned")
    rows: List[Dict[str, Any]] = []
    with torch.no_grad():
        for size in SIZES:
            timings = interleave(contestants(*size), 31, "torch.mm", 20)
            work = 2.0 * size[0] * size[1] * size[2]
            for name, timing in timings.items():
                rows.append(
                    {
                        "rows, inputs, columns": " ".join(str(one) for one in size),
                        "product": name,
                        "ms": timing.median * 1e3,
                        "GFLOP/s": work / timing.median / 1e9,
                        "of torch.mm": timing.ratio,
                    }
                )
                print(rows[-1], flush=True)
    save(f"products_{arguments.threads}t_{arguments.allocator}", rows)


if __name__ == "__main__":
    main()
