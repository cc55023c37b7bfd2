"""Archives of small models with random weights, made without training."""

import json
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from allennlp.common.params import Params
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.models.archival import Archive, load_archive
from allennlp.predictors import Predictor

import allennlp_gated  # noqa: F401

SENTENCES = [
    "the child from the river hopes",
    "if the writers have been angry , the visitor is late .",
]
TREEBANK = "fixtures/treebank/dev.conllu"
TRANSLATIONS = "fixtures/parallel/val.tsv"


def encoder(kind: str, input_size: int, **more: Any) -> Dict[str, Any]:
    params: Dict[str, Any] = {"type": kind, "input_size": input_size, "hidden_size": 6}
    if not kind.startswith("augmented"):
        params["num_layers"] = 2
    if kind.split("_")[0] == "lstm":
        params["bidirectional"] = True
    return {**params, **more}


def embedder(size: int = 5) -> Dict[str, Any]:
    return {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": size}}}


def language_model_config(kind: str, **more: Any) -> Dict[str, Any]:
    return {
        "dataset_reader": {
            "type": "simple_language_modeling",
            "tokenizer": "just_spaces",
            "start_tokens": ["<S>"],
            "end_tokens": ["</S>"],
        },
        "model": {
            "type": "language_model",
            "text_field_embedder": embedder(),
            "contextualizer": encoder(kind, 5, bidirectional=False, **more),
        },
    }


def classifier_config(kind: str, as_vector: bool = False, **more: Any) -> Dict[str, Any]:
    model: Dict[str, Any] = {"type": "basic_classifier", "text_field_embedder": embedder()}
    if as_vector:
        model["seq2vec_encoder"] = encoder(kind, 5, **more)
    else:
        model["seq2seq_encoder"] = encoder(kind, 5, **more)
        model["seq2vec_encoder"] = {"type": "boe", "embedding_dim": output_size(kind)}
    return {
        "dataset_reader": {"type": "text_classification_json", "tokenizer": "just_spaces"},
        "model": {**model, "num_labels": 2},
    }


def output_size(kind: str) -> int:
    return 12 if kind.split("_")[0] == "lstm" or kind.startswith("stacked") else 6


def parser_config(kind: str, **more: Any) -> Dict[str, Any]:
    return {
        "dataset_reader": {"type": "universal_dependencies"},
        "model": {
            "type": "biaffine_parser",
            "text_field_embedder": embedder(),
            "pos_tag_embedding": {"embedding_dim": 3, "vocab_namespace": "pos"},
            "encoder": encoder(kind, 8, **more),
            "tag_representation_dim": 4,
            "arc_representation_dim": 5,
        },
    }


def translation_config(key: str) -> Dict[str, Any]:
    def indexers(namespace: str) -> Dict[str, Any]:
        return {"tokens": {"type": "single_id", "namespace": namespace}}

    source: Dict[str, Any] = {"type": "embedding", "embedding_dim": 5}
    return {
        "dataset_reader": {
            "type": "seq2seq",
            "source_tokenizer": "whitespace",
            "source_token_indexers": indexers("source_tokens"),
            "target_token_indexers": indexers("target_tokens"),
            "source_add_start_token": False,
            "source_add_end_token": False,
        },
        "model": {
            "type": "composed_seq2seq",
            "source_text_embedder": {
                "token_embedders": {"tokens": {**source, "vocab_namespace": "source_tokens"}}
            },
            "encoder": encoder(f"lstm_{key}", 5),
            "decoder": {
                "decoder_net": {
                    "type": f"lstm_cell_{key}",
                    "decoding_dim": 12,
                    "target_embedding_dim": 4,
                    "bidirectional_input": True,
                },
                "target_embedder": {"embedding_dim": 4, "vocab_namespace": "target_tokens"},
                "target_namespace": "target_tokens",
                "beam_search": {"beam_size": 2, "max_steps": 5},
            },
        },
    }


def vocabulary(config: Dict[str, Any]) -> Vocabulary:
    corpora = {"universal_dependencies": TREEBANK, "seq2seq": TRANSLATIONS}
    corpus = corpora.get(config["dataset_reader"]["type"])
    if corpus is not None:
        reader = DatasetReader.from_params(Params(dict(config["dataset_reader"])))
        return Vocabulary.from_instances(reader.read(corpus))
    vocab = Vocabulary()
    for word in sorted({word for sentence in SENTENCES for word in sentence.split()}):
        vocab.add_token_to_namespace(word)
    for word in ("<S>", "</S>"):
        vocab.add_token_to_namespace(word)
    for label in ("no", "yes"):
        vocab.add_token_to_namespace(label, "labels")
    return vocab


def write_archive(config: Dict[str, Any], folder: Path) -> Path:
    """A `model.tar.gz` of a model with random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(13)
    vocab = vocabulary(config)
    model = Model.from_params(Params(json.loads(json.dumps(config["model"]))), vocab=vocab)
    for name, parameter in model.named_parameters():
        # Biases of the size of the inputs, so that gates differ from one half.
        if "bias" in name:
            torch.nn.init.normal_(parameter)
    vocab.save_to_files(str(folder / "vocabulary"))
    torch.save(model.state_dict(), folder / "weights.th")
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("config.json", "weights.th", "vocabulary"):
            archive.add(folder / name, arcname=name)
    return path


def read_archive(path: Path) -> Archive:
    return load_archive(path)


def predictor_of(config: Dict[str, Any], folder: Path, name: Optional[str] = None) -> Predictor:
    return Predictor.from_archive(read_archive(write_archive(config, folder)), name)


def write_lines(path: Path, lines: List[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
