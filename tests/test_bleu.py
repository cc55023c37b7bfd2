"""The metric on words, against nltk's corpus BLEU."""

from typing import List, Tuple

import pytest
from allennlp.data.vocabulary import DEFAULT_OOV_TOKEN
from allennlp.training.metrics import Metric
from nltk.translate.bleu_score import corpus_bleu

from allennlp_gated.bleu import TokenBleu

Sentences = List[List[str]]


def words(*sentences: str) -> Sentences:
    return [sentence.split() for sentence in sentences]


REFERENCES = words(
    "the old sailor sees a small boat near the shore",
    "a dog sleeps",
    "the children who sing are happy because the sun shines",
)
PREDICTIONS = words(
    "the old sailor sees the boat near the small shore",
    "a dog sleeps here tonight",
    "the children who sing are happy because it shines",
)


def score(*batches: Tuple[Sentences, Sentences]) -> float:
    metric = TokenBleu()
    for predictions, references in batches:
        metric(predictions, references)
    return metric.get_metric(reset=True)["BLEU"]


def test_is_registered() -> None:
    assert Metric.by_name("token_bleu") is TokenBleu


def test_equals_nltk_on_words() -> None:
    expected = corpus_bleu([[reference] for reference in REFERENCES], PREDICTIONS)
    assert 0.3 < expected < 0.9
    assert score((PREDICTIONS, REFERENCES)) == pytest.approx(expected, abs=1e-9)


def test_does_not_depend_on_how_sentences_are_batched() -> None:
    one_by_one = [([p], [r]) for p, r in zip(PREDICTIONS, REFERENCES)]
    assert score(*one_by_one) == pytest.approx(score((PREDICTIONS, REFERENCES)), abs=1e-9)


def test_an_unknown_word_matches_nothing() -> None:
    reference, mistaken = words(
        "the old heron sees a boat near the shore", "the old teapot sees a boat near the shore"
    )
    unknown = [DEFAULT_OOV_TOKEN if word == "teapot" else word for word in mistaken]
    reference_as_read = [DEFAULT_OOV_TOKEN if word == "heron" else word for word in reference]
    expected = corpus_bleu([[reference]], [mistaken])
    assert score(([unknown], [reference_as_read])) == pytest.approx(expected, abs=1e-9)


def test_empty_predictions_score_zero_and_reset_forgets() -> None:
    metric = TokenBleu()
    metric([[], []], REFERENCES[:2])
    assert metric.get_metric()["BLEU"] == 0
    metric.reset()
    metric(REFERENCES, REFERENCES)
    assert metric.get_metric(reset=True)["BLEU"] == pytest.approx(1)
    assert metric.get_metric()["BLEU"] == 0
