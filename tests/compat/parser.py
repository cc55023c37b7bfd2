"""A parser and a treebank small enough to be trained within a second."""

import json
import random
from pathlib import Path
from typing import Any, Dict, Sequence

WORDS = ("the", "a", "dog", "cat", "house", "sees", "likes", "finds", "big", "small", "in", "on")


def write_treebank(path: Path, lengths: Sequence[int], seed: int) -> None:
    """
    # Parameters

    path : `Path`
        Where to write it, in CoNLL-U.
    lengths : `Sequence[int]`
        How many words each of its sentences has.
    seed : `int`
        What its words and its arcs, which mean nothing, are drawn from.
    """
    draw = random.Random(seed)
    with open(path, "w") as treebank:
        for length in lengths:
            for word in range(1, length + 1):
                # The head comes before its dependant, so that all arcs make one tree.
                head = draw.randrange(1, word) if word > 1 else 0
                columns = [word, draw.choice(WORDS), "_", draw.choice(["NOUN", "VERB"]), "_", "_"]
                columns += [head, "root" if head == 0 else draw.choice(["nsubj", "obj"]), "_", "_"]
                treebank.write("\t".join(map(str, columns)) + "\n")
            treebank.write("\n")


def parser_config(
    train: Path, dev: Path, trainer: Dict[str, Any], encoder: str = "stacked_bidirectional_lstm"
) -> Dict[str, Any]:
    """
    # Parameters

    train, dev : `Path`
        The treebanks.
    trainer : `Dict[str, Any]`
        The trainer's part of the config.
    encoder : `str`, optional
        The registered name of the encoder.

    # Returns

    `Dict[str, Any]`
        The stock parser's config with small sizes and no dropout, so that a run can be repeated
        to the last digit.
    """
    return {
        "dataset_reader": {"type": "universal_dependencies"},
        "train_data_path": str(train),
        "validation_data_path": str(dev),
        "model": {
            "type": "biaffine_parser",
            "text_field_embedder": {
                "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 12}}
            },
            "pos_tag_embedding": {"embedding_dim": 4, "vocab_namespace": "pos"},
            "encoder": {
                "type": encoder,
                "input_size": 16,
                "hidden_size": 8,
                "num_layers": 2,
                "use_highway": False,
            },
            "arc_representation_dim": 10,
            "tag_representation_dim": 6,
        },
        "data_loader": {"batch_size": 4},
        "trainer": dict({"cuda_device": -1, "validation_metric": "+LAS"}, **trainer),
    }


def scores(run: Path, file: str = "metrics.json") -> Dict[str, float]:
    """
    # Parameters

    run : `Path`
        The folder of a run.
    file : `str`, optional
        The file in it that holds its metrics.

    # Returns

    `Dict[str, float]`
        These, without what the run took in time and memory.
    """
    metrics = json.loads((run / file).read_text())
    return {
        name: value
        for name, value in metrics.items()
        if not name.endswith("_MB") and "duration" not in name
    }
