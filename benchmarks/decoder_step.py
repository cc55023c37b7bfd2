"""
One step of a decoder, without gradients: `full` beside torch.nn.LSTMCell, from the one row of a
greedy search to the rows of a beam search.

    python -m benchmarks.decoder_step --threads 2
"""

import argparse
from typing import Any, Dict, List

import torch

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import Direction, run_layer
from benchmarks.measure import interleave, parse_settings, save

# Inputs, memory cells: a small decoder, and OpenNMT's without and with what it attends to.
SIZES = [(100, 100), (500, 500), (1000, 500)]
ROWS = [1, 2, 4, 8, 16, 64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    arguments = parse_settings(parser)
    table: List[Dict[str, Any]] = []
    for inputs, cells in SIZES:
        for rows in ROWS:
            cell = torch.nn.LSTMCell(inputs, cells)
            weights = (cell.weight_ih.detach(), cell.weight_hh.detach(), cell.bias_ih.detach())
            x = torch.randn(rows, inputs)
            state = torch.randn(rows, cells), torch.randn(rows, cells)
            direction = Direction(*weights, hidden_0=state[0], memory_cell_0=state[1])

            def of_torch(cell: Any = cell, x: Any = x, state: Any = state) -> None:
                cell(x, state)

            def of_ours(x: Any = x, direction: Direction = direction) -> None:
                run_layer(ABLATIONS["full"], x.unsqueeze(0), None, [direction])

            with torch.no_grad():
                timings = interleave(
                    {"nn.LSTMCell": of_torch, "full": of_ours}, 500, "nn.LSTMCell", 5
                )
            ours = timings["full"]
            table.append(
                {
                    "I": inputs,
                    "H": cells,
                    "B": rows,
                    "nn.LSTMCell ms": timings["nn.LSTMCell"].median * 1e3,
                    "full ms": ours.median * 1e3,
                    "quartiles": f"{ours.low * 1e3:.3g}-{ours.high * 1e3:.3g}",
                    "of nn.LSTMCell": ours.ratio,
                }
            )
            print(table[-1], flush=True)
    save(f"decoder_step_{arguments.threads}t_{arguments.allocator}", table)


if __name__ == "__main__":
    main()
