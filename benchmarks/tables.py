"""
The two tables of layers in the README, from the results of `python -m benchmarks.layers`.

    python -m benchmarks.tables
"""

import json
from typing import Dict, Tuple

from allennlp_gated.ablation import ABLATIONS
from benchmarks.measure import RESULTS

SOURCE = RESULTS / "layers_all_training_2t_default.json"
NAMES = {
    "parser": "parser",
    "bidaf_phrase": "BiDAF phrase layer",
    "bidaf_modeling": "BiDAF modeling layer",
    "ptb_medium": "PTB medium, one direction",
    "opennmt": "OpenNMT, one direction",
}


def medians() -> Dict[Tuple[str, str], Dict[str, float]]:
    """Milliseconds of each layer, by shape and batch."""
    found: Dict[Tuple[str, str], Dict[str, float]] = {}
    for one in json.loads(SOURCE.read_text())["rows"]:
        found.setdefault((one["shape"], one["batch"]), {})[one["layer"]] = one["ms"]
    return found


def row(label: str, times: Dict[str, float], against: str, suffix: str = "") -> str:
    """Each ablation's time as a share of the time of `against`."""
    shares = (f"{times[key + suffix] / times[against]:.2f}" for key in ABLATIONS)
    return f"| {label} | " + " | ".join(shares) + " |"


def head(title: str) -> str:
    """The first two lines of a table."""
    return f"| {title} | " + " | ".join(ABLATIONS) + " |\n|" + " --- |" * (len(ABLATIONS) + 1)


def main() -> None:
    times = medians()
    print(head("ragged batch, against"))
    for shape, name in NAMES.items():
        print(row(f"{name}, stock `lstm`", times[shape, "ragged"], "stock lstm"))
        if shape == "parser":
            stacked = "stacked_bidirectional_lstm"
            label = f"{name}, stock `{stacked}`, recurrent dropout 0.3"
            print(row(label, times[shape, "ragged"], f"stock {stacked}", ", dropout 0.3"))
    print()
    print(head("dense batch, against nn.LSTM"))
    for shape, name in NAMES.items():
        print(row(name, times[shape, "dense"], "nn.LSTM dense"))


if __name__ == "__main__":
    main()
