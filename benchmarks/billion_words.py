"""
What training on the billion-word benchmark would take: steps of the config at the benchmark's size,
on a made-up text of as many words and of sentences as long, and what an epoch of them comes to.

    python -m benchmarks.billion_words
"""

import argparse
import functools
import itertools
import json
import random
import resource
import statistics
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List

from allennlp.common import Params

from allennlp_gated.ablation import ABLATIONS
from benchmarks.measure import parse_settings, save, seconds_of
from benchmarks.training import Training

# Chelba et al. 2014 (https://arxiv.org/abs/1312.3005): the vocabulary, counting the boundaries of
# sentences and unknown words; the training part's sentences and its words, boundaries not counted.
VOCABULARY, SENTENCES, WORDS = 793_471, 30_301_028, 768_648_884
GIB = 2.0**30


def write_corpus(folder: Path, sentences: int) -> Dict[str, Any]:
    """
    Made-up words, the n-th as frequent as 1 / n, in sentences of the benchmark's mean length.

    # Parameters

    folder : `Path`
        Where to write.
    sentences : `int`
        How many.

    # Returns

    `Dict[str, Any]`
        The overrides that the config's head names, for this corpus.
    """
    dice = random.Random(0)
    words = [f"word{one}" for one in range(VOCABULARY - 3)]
    cumulative = list(itertools.accumulate(1 / (one + 1) for one in range(len(words))))
    with (folder / "text").open("w") as text:
        for _ in range(sentences):
            print(*dice.choices(words, cum_weights=cumulative, k=WORDS // SENTENCES), file=text)
    vocabulary = folder / "vocabulary"
    vocabulary.mkdir()
    (vocabulary / "tokens.txt").write_text("\n".join(["@@UNKNOWN@@", "<S>", "</S>", *words]))
    (vocabulary / "non_padded_namespaces.txt").write_text("*tags\n*labels\n")
    return {
        "train_data_path": str(folder / "text*"),
        "validation_data_path": None,
        "validation_data_loader": None,
        "vocabulary": {"type": "from_files", "directory": str(vocabulary)},
        "model.num_samples": 8192,
    }


def times(training: Training) -> Iterator[float]:
    """Seconds of each step but the first two, in which buffers are made."""
    for number, batch in enumerate(training.trainer.data_loader):
        seconds = seconds_of(functools.partial(training.step, batch))
        if number > 1:
            yield seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", choices=["stock", *ABLATIONS], default="full")
    parser.add_argument("--steps", type=int, default=9)
    arguments = parse_settings(parser)
    config = f"training_configs/bwb_lm_{arguments.key}.jsonnet"
    batch_size = Params.from_file(config)["data_loader"]["batch_sampler"]["batch_size"]
    with tempfile.TemporaryDirectory() as folder:
        training = Training(config, write_corpus(Path(folder), (arguments.steps + 2) * batch_size))
        seconds = statistics.median(times(training))
    steps = SENTENCES / batch_size
    rows: List[Dict[str, Any]] = [
        {
            "encoder": arguments.key,
            "million parameters": sum(one.numel() for one in training.model.parameters()) / 1e6,
            # Linux counts it in KiB.
            "peak GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB,
            "seconds a step": seconds,
            "steps an epoch": steps,
            "days an epoch": seconds * steps / 86400,
        }
    ]
    print(json.dumps(rows[0]))
    save(f"billion_words_{arguments.key}_{arguments.threads}t_{arguments.allocator}", rows)


if __name__ == "__main__":
    main()
