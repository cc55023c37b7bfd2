"""
How time and memory grow with T, B and H: each doubled or so from small to large, the others fixed.

    python -m benchmarks.growth --threads 2
"""

import argparse
from typing import Any, Dict, List

from allennlp_gated.ablation import ABLATIONS
from benchmarks.contestants import Problem, Shape
from benchmarks.measure import interleave, parse_settings, peak_bytes, save, trim

GROWING = {
    "T": [Shape(4, steps, 100, 100, False) for steps in (10, 100, 1000, 5000, 20000)],
    "B": [Shape(rows, 30, 200, 200, False) for rows in (1, 4, 16, 64, 256, 512)],
    "H": [Shape(16, 20, 200, cells, False) for cells in (16, 64, 256, 512, 1024, 2048)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parse_settings(parser)
    rows: List[Dict[str, Any]] = []
    for what, shapes in GROWING.items():
        for shape in shapes:
            problem = Problem(shape, ragged=False, backward=True)
            contestants = {"nn.LSTM dense": problem.nn_lstm()}
            for key in ABLATIONS:
                contestants[key] = problem.encoder(f"lstm_{key}")
            trim()
            timings = interleave(contestants, arguments.rounds, "nn.LSTM dense", 8)
            for name, timing in timings.items():
                row = {
                    "growing": what,
                    "B": shape.batch_size,
                    "T": shape.steps,
                    "I": shape.input_size,
                    "H": shape.hidden_size,
                    "layer": name,
                    "ms": timing.median * 1e3,
                    "of nn.LSTM dense": timing.ratio,
                    "peak MB": peak_bytes(contestants[name]) / 1e6,
                }
                rows.append(row)
                print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    save(f"growth_{arguments.threads}t_{arguments.allocator}", rows)


if __name__ == "__main__":
    main()
