"""
The tables of layers in the README and in that of the benchmarks, from the results of these:

    python -m benchmarks.layers --threads 2 --seconds 40 --products
    python -m benchmarks.layers --threads 2 --seconds 20 --allocator tuned
    python -m benchmarks.tables
"""

import json
from typing import Dict, Iterable, Tuple

from allennlp_gated.ablation import ABLATIONS
from benchmarks.measure import RESULTS

NAMES = {
    "parser": "parser",
    "bidaf_phrase": "BiDAF phrase layer",
    "bidaf_modeling": "BiDAF modeling layer",
    "ptb_medium": "PTB medium, one direction",
    "opennmt": "OpenNMT, one direction",
}
PRODUCTS = ", products by torch.mm"
STACKED = "stacked_bidirectional_lstm"
# The ablation that is akin to SRU.
LIKE_SRU = "no_srnn_no_hidden"


def medians(allocator: str) -> Dict[Tuple[str, str], Dict[str, float]]:
    """Milliseconds of each layer, by shape and batch."""
    found: Dict[Tuple[str, str], Dict[str, float]] = {}
    source = RESULTS / f"layers_all_training_2t_{allocator}.json"
    for one in json.loads(source.read_text())["rows"]:
        found.setdefault((one["shape"], one["batch"]), {})[one["layer"]] = one["ms"]
    return found


def row(label: str, shares: Iterable[float]) -> str:
    """One line of a table."""
    return f"| {label} | " + " | ".join(f"{share:.2f}" for share in shares) + " |"


def of(times: Dict[str, float], against: str, suffix: str = "") -> Iterable[float]:
    """Each ablation's time as a share of the time of `against`."""
    return (times[key + suffix] / times[against] for key in ABLATIONS)


def head(title: str, columns: Iterable[str]) -> str:
    """The first two lines of a table."""
    cells = [title, *columns]
    return f"| {' | '.join(cells)} |\n|" + " --- |" * len(cells)


def main() -> None:
    default, tuned = medians("default"), medians("tuned")
    print(head("ragged batch, against", ABLATIONS))
    for shape, name in NAMES.items():
        times = default[shape, "ragged"]
        print(row(f"{name}, stock `lstm`", of(times, "stock lstm")))
        if shape == "parser":
            label = f"{name}, stock `{STACKED}`, recurrent dropout 0.3"
            print(row(label, of(times, f"stock {STACKED}", ", dropout 0.3")))
    print()
    print(head("dense batch, against nn.LSTM", ABLATIONS))
    for shape, name in NAMES.items():
        print(row(name, of(default[shape, "dense"], "nn.LSTM dense")))
    print()
    print(head("dense, allocator tuned, against nn.LSTM", ABLATIONS))
    for shape, name in NAMES.items():
        print(row(name, of(tuned[shape, "dense"], "nn.LSTM dense")))
    print()
    print(head("dense, against torch.mm of its products alone", ABLATIONS))
    for shape, name in NAMES.items():
        times = default[shape, "dense"]
        print(row(name, (times[key] / times[key + PRODUCTS] for key in ABLATIONS)))
    print()
    print(head("dense, against `sru`", (f"`{LIKE_SRU}`", "torch.mm of its products alone")))
    for shape, name in NAMES.items():
        times = default[shape, "dense"]
        shares = (times[one] / times["sru"] for one in (LIKE_SRU, LIKE_SRU + PRODUCTS))
        print(row(name, shares))


if __name__ == "__main__":
    main()
