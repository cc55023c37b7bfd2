"""
Seconds per epoch of `allennlp train` for the parser: with the stock encoder where this package is
not imported (`without`), with the stock encoder where it is (`stock`), and with ours.

    python -m benchmarks.epoch --train ../shared/data/ud/en_ewt-ud-train.conllu \
        --dev ../shared/data/ud/en_ewt-ud-dev.conllu
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from allennlp_gated.ablation import ABLATIONS
from benchmarks.measure import parse_settings, save

WITHOUT = "without"


def run(name: str, overrides: Dict[str, Any], threads: int) -> Dict[str, Any]:
    """One epoch of one config in a process of its own, by the command that users type."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(f"training_configs/ud_parser_{'stock' if name == WITHOUT else name}.jsonnet")
        command = [
            *[sys.executable, "-m", "allennlp", "train", str(config.resolve())],
            *["-s", f"{folder}/run", "-o", json.dumps(overrides)],
        ]
        if name != WITHOUT:
            command += ["--include-package", "allennlp_gated"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.getcwd()}
        started = time.perf_counter()
        # A folder without .allennlp_plugins, by which the package would be imported.
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = status
        if status:
            raise subprocess.CalledProcessError(status, command)
        total = time.perf_counter() - started
        metrics = json.loads(Path(folder, "run", "metrics_epoch_0.json").read_text())
    hours, minutes, seconds = metrics["training_duration"].split(":")
    return {
        "encoder": name,
        "epoch seconds": int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        "whole command": total,
        "dev LAS": metrics["validation_LAS"] * 100,
        "dev UAS": metrics["validation_UAS"] * 100,
        "peak memory MB": used.ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", default="fixtures/treebank/train.conllu", help="CoNLL-U")
    parser.add_argument("--dev", default="fixtures/treebank/dev.conllu", help="CoNLL-U")
    parser.add_argument("--encoders", nargs="+", default=[WITHOUT, "stock", *ABLATIONS])
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parse_settings(parser)
    overrides: Dict[str, Any] = {
        "trainer.num_epochs": 1,
        "data_loader.batch_sampler.batch_size": arguments.batch_size,
        "train_data_path": os.path.abspath(arguments.train),
        "validation_data_path": os.path.abspath(arguments.dev),
    }
    rows: List[Dict[str, Any]] = []
    for name in arguments.encoders:
        row = run(name, overrides, arguments.threads)
        row["times as fast"] = rows[0]["epoch seconds"] / row["epoch seconds"] if rows else 1.0
        rows.append(row)
        print(row, flush=True)
    save(f"epoch_{arguments.threads}t_{arguments.allocator}", rows)


if __name__ == "__main__":
    main()
