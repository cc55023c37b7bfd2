"""
The stock models that take a recurrent encoder, each as small as it goes: a config whose encoders
carry an ablation's key, and the arguments of two sentences for its reader.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from allennlp.data import Token
from nltk import Tree

EMBEDDING, HIDDEN = 6, 4
ENCODED = 2 * HIDDEN

Config = Dict[str, Any]


class Family(NamedTuple):
    """
    # Parameters

    reader : `Dict[str, Any]`
        The config of the stock reader.
    sentences : `List[Tuple[Any, ...]]`
        Arguments for the reader's `text_to_instance`.
    model : `Callable[[str], Dict[str, Any]]`
        The config of the stock model for an ablation's key.
    num_recurrent_modules : `int`
        How many encoders of the model are ablated.
    """

    reader: Config
    sentences: List[Tuple[Any, ...]]
    model: Callable[[str], Config]
    num_recurrent_modules: int = 1


EMBEDDER = {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": EMBEDDING}}}


def lstm(key: str, input_size: int, num_layers: int = 1, bidirectional: bool = True) -> Config:
    return {
        "type": f"lstm_{key}",
        "input_size": input_size,
        "hidden_size": HIDDEN,
        "num_layers": num_layers,
        "bidirectional": bidirectional,
    }


def feedforward(input_dim: int, output_dim: int) -> Config:
    return {
        "input_dim": input_dim,
        "num_layers": 1,
        "hidden_dims": output_dim,
        "activations": "elu",
    }


def words(sentence: str) -> List[Token]:
    return [Token(word) for word in sentence.split()]


SIMPLE_TAGGER = Family(
    {"type": "sequence_tagging"},
    [
        (words("bells ring"), ["NOUN", "VERB"]),
        (words("the small bell rang"), ["DET", "ADJ", "NOUN", "VERB"]),
    ],
    lambda key: {
        "type": "simple_tagger",
        "text_field_embedder": EMBEDDER,
        "encoder": lstm(key, EMBEDDING, num_layers=2),
    },
)

NER_TAGGER = Family(
    {"type": "conll2003", "tag_label": "ner"},
    [
        (words("Ida Holm swam"), None, None, ["B-PER", "I-PER", "O"]),
        (words("in Oslo Ida sang"), None, None, ["O", "B-LOC", "B-PER", "O"]),
    ],
    lambda key: {
        "type": "crf_tagger",
        "text_field_embedder": EMBEDDER,
        "encoder": lstm(key, EMBEDDING, num_layers=2),
        "label_encoding": "BIO",
        "constrain_crf_decoding": True,
        "calculate_span_f1": True,
    },
)

CONSTITUENCY_PARSER = Family(
    {"type": "ptb_trees"},
    [
        (
            ["bells", "ring"],
            ["NNS", "VBP"],
            Tree.fromstring("(S (NP (NNS bells)) (VP (VBP ring)))"),
        ),
        (
            ["the", "bell", "rang", "twice"],
            ["DT", "NN", "VBD", "RB"],
            Tree.fromstring("(S (NP (DT the) (NN bell)) (VP (VBD rang) (ADVP (RB twice))))"),
        ),
    ],
    lambda key: {
        "type": "constituency_parser",
        "text_field_embedder": EMBEDDER,
        "pos_tag_embedding": {"embedding_dim": 3, "vocab_namespace": "pos"},
        "encoder": lstm(key, EMBEDDING + 3, num_layers=2),
        "span_extractor": {"type": "bidirectional_endpoint", "input_dim": ENCODED},
        "feedforward": feedforward(ENCODED, 5),
        "evalb_directory_path": None,
    },
)

SEMANTIC_DEPENDENCIES = Family(
    {"type": "semantic_dependencies"},
    [
        (["bells", "ring"], ["NNS", "VBP"], [(1, 0), (1, 1)], ["ARG1", "top"]),
        (["the", "bell", "rang"], ["DT", "NN", "VBD"], [(0, 1), (2, 1)], ["BV", "ARG1"]),
    ],
    lambda key: {
        "type": "graph_parser",
        "text_field_embedder": EMBEDDER,
        "pos_tag_embedding": {"embedding_dim": 3, "vocab_namespace": "pos"},
        "encoder": {
            "type": f"stacked_bidirectional_lstm_{key}",
            "input_size": EMBEDDING + 3,
            "hidden_size": HIDDEN,
            "num_layers": 3,
            "use_highway": True,
        },
        "tag_representation_dim": 5,
        "arc_representation_dim": 5,
        "edge_prediction_threshold": 0.3,
    },
)

SEMANTIC_ROLES = Family(
    {"type": "srl"},
    [
        (words("Ida rang bells"), [0, 1, 0], ["B-ARG0", "B-V", "B-ARG1"]),
        (words("bells that ring please Ida"), [0, 0, 1, 0, 0], ["B-ARG0", "O", "B-V", "O", "O"]),
    ],
    lambda key: {
        "type": "srl",
        "text_field_embedder": EMBEDDER,
        "binary_feature_dim": 2,
        "encoder": {
            "type": f"alternating_lstm_{key}",
            "input_size": EMBEDDING + 2,
            "hidden_size": HIDDEN,
            "num_layers": 8,
            "recurrent_dropout_probability": 0.1,
            "use_input_projection_bias": False,
        },
        "srl_eval_path": None,
    },
)

_SPAN = 2 * ENCODED + 3 + EMBEDDING
COREFERENCE = Family(
    {"type": "coref", "max_span_width": 3},
    [
        ([["Ida", "sang"], ["She", "rang", "bells"]], [[(0, 0), (2, 2)]]),
        ([["the", "bell", "that", "Ida", "rang"], ["it", "broke"]], [[(0, 1), (5, 5)]]),
    ],
    lambda key: {
        "type": "coref",
        "text_field_embedder": EMBEDDER,
        "context_layer": lstm(key, EMBEDDING),
        "mention_feedforward": feedforward(_SPAN, 5),
        "antecedent_feedforward": feedforward(3 * _SPAN + 3, 5),
        "feature_size": 3,
        "max_span_width": 3,
        "spans_per_word": 0.8,
        "max_antecedents": 5,
    },
)

_PAIRS = [
    ("the bell rang", "a bell rang twice", "neutral"),
    ("Ida sang", "nobody sang", "contradiction"),
]
ESIM = Family(
    {"type": "snli", "tokenizer": "whitespace"},
    _PAIRS,
    lambda key: {
        "type": "esim",
        "text_field_embedder": EMBEDDER,
        "encoder": lstm(key, EMBEDDING),
        "matrix_attention": {"type": "dot_product"},
        "projection_feedforward": feedforward(4 * ENCODED, 5),
        "inference_encoder": lstm(key, 5),
        "output_feedforward": feedforward(4 * ENCODED, 5),
        "output_logit": feedforward(5, 2),
    },
    num_recurrent_modules=2,
)


def _matcher(hidden_dim: int, **options: bool) -> Config:
    return {"hidden_dim": hidden_dim, "num_perspectives": 2, **options}


# What a matcher of two perspectives says of a word: 2 cosines, 2 * 2 of the pooled match, and 2 + 1
# each of the attentive match, of the strongest one and, of states, of that with the other's end.
_MATCHED_WORDS = 2 + 2 * 2 + 2 * (2 + 1)
_MATCHED_STATES = _MATCHED_WORDS + (2 + 1)
BIMPM = Family(
    {"type": "quora_paraphrase", "tokenizer": "whitespace"},
    [("the bell rang", "a bell rang twice", "1"), ("Ida sang", "nobody sang", "0")],
    lambda key: {
        "type": "bimpm",
        "text_field_embedder": EMBEDDER,
        "matcher_word": _matcher(EMBEDDING, with_full_match=False),
        "encoder1": lstm(key, EMBEDDING),
        "matcher_forward1": _matcher(HIDDEN, is_forward=True),
        "matcher_backward1": _matcher(HIDDEN, is_forward=False),
        "encoder2": lstm(key, ENCODED),
        "matcher_forward2": _matcher(HIDDEN, is_forward=True),
        "matcher_backward2": _matcher(HIDDEN, is_forward=False),
        "aggregator": lstm(key, _MATCHED_WORDS + 4 * _MATCHED_STATES),
        "classifier_feedforward": feedforward(2 * ENCODED, 2),
    },
    num_recurrent_modules=3,
)

BIATTENTIVE_CLASSIFIER = Family(
    {"type": "sst_tokens"},
    [(["bells", "ring"], "1"), (["the", "bell", "broke", "again"], "0")],
    lambda key: {
        "type": "bcn",
        "text_field_embedder": EMBEDDER,
        "embedding_dropout": 0.1,
        "pre_encode_feedforward": feedforward(EMBEDDING, 5),
        "encoder": lstm(key, 5),
        "integrator": lstm(key, 3 * ENCODED),
        "integrator_dropout": 0.1,
        "output_layer": {
            "input_dim": 4 * ENCODED,
            "num_layers": 1,
            "output_dims": [2],
            "pool_sizes": 2,
            "dropout": 0.0,
        },
    },
    num_recurrent_modules=2,
)

FAMILIES: Dict[str, Family] = {
    name.lower(): value for name, value in list(globals().items()) if isinstance(value, Family)
}
