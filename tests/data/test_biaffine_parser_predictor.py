"""The predictor on a small untrained parser: its input, its errors and its output's form."""

import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.predictors import Predictor
from allennlp_models.structured_prediction import (
    BiaffineDependencyParserPredictor,
    UniversalDependenciesDatasetReader,
)

from allennlp_gated.data.biaffine_parser_predictor import BlankBiaffineDependencyParserPredictor

TREEBANK = Path(__file__).parents[2] / "fixtures" / "treebank" / "dev.conllu"


@pytest.fixture(scope="module")
def reader() -> UniversalDependenciesDatasetReader:
    return UniversalDependenciesDatasetReader()


@pytest.fixture(scope="module")
def model(reader: UniversalDependenciesDatasetReader) -> Model:
    vocabulary = Vocabulary.from_instances(reader.read(str(TREEBANK)))
    size = 6
    embedding = {"type": "embedding", "embedding_dim": size}
    params = {
        "type": "biaffine_parser",
        "text_field_embedder": {"token_embedders": {"tokens": embedding}},
        "encoder": {
            "type": "stacked_bidirectional_lstm_no_gates",
            "input_size": size + 2,
            "hidden_size": size,
            "num_layers": 1,
        },
        "pos_tag_embedding": {"embedding_dim": 2, "vocab_namespace": "pos"},
        "tag_representation_dim": size,
        "arc_representation_dim": size,
    }
    return Model.from_params(Params(params), vocab=vocabulary)


@pytest.fixture(scope="module")
def predictor(
    model: Model, reader: UniversalDependenciesDatasetReader
) -> BlankBiaffineDependencyParserPredictor:
    return BlankBiaffineDependencyParserPredictor(model, reader, tags_from=str(TREEBANK))


def test_is_registered() -> None:
    name = "biaffine_dependency_parser_blank"
    assert Predictor.by_name(name) is BlankBiaffineDependencyParserPredictor


def test_output_has_the_stock_form(predictor: BlankBiaffineDependencyParserPredictor) -> None:
    output = predictor.predict_json({"sentence": "The farmer didn't see the dog."})
    json.dumps(output)
    assert output["words"] == ["The", "farmer", "did", "n't", "see", "the", "dog", "."]
    assert output["pos"] == ["DET", "NOUN", "AUX", "PART", "VERB", "DET", "NOUN", "PUNCT"]
    size = len(output["words"])
    assert len(output["predicted_dependencies"]) == len(output["predicted_heads"]) == size
    assert all(0 <= head <= size for head in output["predicted_heads"])
    assert 0 in output["predicted_heads"]
    assert output["hierplane_tree"]["text"] == " ".join(output["words"])


def test_equals_the_stock_predictor_on_the_same_words_and_tags(
    predictor: BlankBiaffineDependencyParserPredictor, reader: UniversalDependenciesDatasetReader
) -> None:
    instance = reader.text_to_instance(["Dogs", "sleep"], ["NOUN", "VERB"])
    expected = BiaffineDependencyParserPredictor.predict_instance(predictor, instance)
    given = {"words": ["Dogs", "sleep"], "pos": ["NOUN", "VERB"]}
    assert predictor.predict_json(given) == expected
    assert (
        predictor.predict_batch_json([given])[0]["predicted_heads"] == (expected["predicted_heads"])
    )


def test_given_tags_are_used(predictor: BlankBiaffineDependencyParserPredictor) -> None:
    pos = ["X", "NOUN", "VERB"]
    output = predictor.predict_json({"sentence": "The dog sleeps", "pos": pos})
    assert output["pos"] == pos


@pytest.mark.parametrize(
    "line, expected",
    [
        ('{"sentence": "It rains."}\n', {"sentence": "It rains."}),
        ("It rains.\n", {"sentence": "It rains."}),
        ('"It rains," she said.\n', {"sentence": '"It rains," she said.'}),
    ],
)
def test_a_line_is_an_object_or_a_sentence(
    predictor: BlankBiaffineDependencyParserPredictor, line: str, expected: Any
) -> None:
    assert predictor.load_line(line) == expected


@pytest.mark.parametrize(
    "given, message",
    [
        ({"text": "It rains."}, "'sentence' or 'words'"),
        ({"sentence": "  "}, "one word at least"),
        ({"words": []}, "one word at least"),
        ({"words": ["It", "rains"], "pos": ["PRON"]}, "1 tags for 2 words"),
    ],
)
def test_refuses_bad_input(
    predictor: BlankBiaffineDependencyParserPredictor, given: Any, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        predictor.predict_json(given)


def test_says_where_tags_may_come_from(
    model: Model, reader: UniversalDependenciesDatasetReader
) -> None:
    without = BlankBiaffineDependencyParserPredictor(model, reader)
    assert without.predict_json({"words": ["Go"], "pos": ["VERB"]})["words"] == ["Go"]
    with pytest.raises(ConfigurationError, match="tags_from"):
        without.predict_json({"sentence": "Go"})
