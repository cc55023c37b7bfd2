import json

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor

from allennlp_gated.weighted_sum.sentence import Word
from allennlp_gated.weighted_sum.sentence_input import annotate, count_sentences, read_sentences
from tests.weighted_sum.tiny_models import TREEBANK, write_lines


class Reads(Predictor):
    def __init__(self):
        pass


def read(path):
    return list(read_sentences(str(path), Reads()))


class TestReadSentences:
    def test_of_plain_lines_and_json(self, tmp_path):
        path = write_lines(
            tmp_path / "in.txt", ["a sentence .", "", json.dumps({"sentence": "two", "x": 1})]
        )
        sentences = read(path)
        assert [one.inputs for one in sentences] == [
            {"sentence": "a sentence ."},
            {"sentence": "two", "x": 1},
        ]
        assert sentences[1].place == "line 3"
        assert count_sentences(str(path)) == 2

    def test_of_conllu(self):
        sentences = read(TREEBANK)
        assert len(sentences) == count_sentences(TREEBANK) == 100
        words = sentences[0].words
        assert sentences[0].inputs["sentence"] == " ".join(word.form for word in words)
        assert all(word.pos and word.relation and word.head is not None for word in words)
        assert sum(word.head == 0 for word in words) == 1

    def test_of_conllu_with_ranges_and_empty_nodes(self, tmp_path):
        rows = [
            ("1-2", "don't", "_", "_", "_"),
            ("1", "do", "AUX", "3", "aux"),
            ("2", "n't", "PART", "3", "advmod"),
            ("3", "go", "VERB", "0", "root"),
            ("3.1", "gone", "VERB", "_", "_"),
        ]
        lines = [
            "\t".join([number, form, "_", pos, "_", "_", head, relation, "_", "_"])
            for number, form, pos, head, relation in rows
        ]
        path = write_lines(tmp_path / "a.conllu", [*lines, ""])
        (sentence,) = read(path)
        assert [word.form for word in sentence.words] == ["do", "n't", "go"]
        assert count_sentences(str(path)) == 1

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('{"sentence": ""}', "line 2: 'sentence' is empty"),
            ('{"passage": "a", "question": " "}', "line 2: 'question' is empty"),
            ('{"sentence": ', "line 2: not valid JSON"),
            ("{}", "line 2: has no fields"),
        ],
    )
    def test_refuses_what_has_no_words(self, line, message, tmp_path):
        path = write_lines(tmp_path / "in.txt", ["fine", line])
        with pytest.raises(ConfigurationError, match=message):
            read(path)


def test_annotations_follow_the_words():
    annotated = [
        Word("The", "DET", "det", 2),
        Word("cat", "NOUN", "nsubj", 3),
        Word("sleeps", "VERB", "root", 0),
        Word("well-being", "NOUN", "obj", 3),
    ]
    words = [Word(form) for form in ("<S>", "the", "cat", "sleeps", "well", "-", "being", "</S>")]
    result = annotate(words, annotated)
    assert [word.form for word in result] == [word.form for word in words]
    assert result[1] == Word("the", "DET", "det", 3)
    assert result[2] == Word("cat", "NOUN", "nsubj", 4)
    assert result[3] == Word("sleeps", "VERB", "root", 0)
    assert [one.pos for one in result[4:]] == [None] * 4
