from pathlib import Path
from typing import List

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_gated.data.tag_lexicon import TagLexicon
from tests.fixtures.conllu import AWKWARD_CONLLU

WORDS = [
    ("The", "DET"),
    ("saw", "NOUN"),
    ("saw", "VERB"),
    ("saw", "VERB"),
    ("Anna", "PROPN"),
    ("walking", "VERB"),
    ("talking", "VERB"),
    ("evening", "NOUN"),
    ("happily", "ADV"),
]


@pytest.mark.parametrize(
    "sentence, tags",
    [
        (["saw"], ["VERB"]),  # the most frequent
        (["the"], ["DET"]),  # seen with a capital only
        (["Saw", "Anna"], ["VERB", "PROPN"]),  # a capital at the beginning is no name's
        (["Anna"], ["PROPN"]),
        (["the", "balking", "sadly"], ["DET", "VERB", "ADV"]),  # by their endings
        (["the", "Hanna"], ["DET", "PROPN"]),
        (["42"], ["VERB"]),  # nothing is like it: what most words may be
        ([], []),
    ],
)
def test_tags_by_word_then_by_ending(sentence: List[str], tags: List[str]) -> None:
    assert TagLexicon(WORDS).tag(sentence) == tags


def test_reads_a_treebank(tmp_path: Path) -> None:
    path = tmp_path / "awkward.conllu"
    path.write_text(AWKWARD_CONLLU, encoding="utf-8")
    words = ["She", "does", "n't", "sing"]
    assert TagLexicon.from_conllu(str(path)).tag(words) == ["PRON", "AUX", "PART", "VERB"]
    specific = TagLexicon.from_conllu(str(path), use_language_specific_pos=True)
    assert specific.tag(words) == ["PRP", "VBZ", "RB", "VB"]


def test_refuses_an_empty_treebank(tmp_path: Path) -> None:
    path = tmp_path / "empty.conllu"
    path.write_text("\n")
    with pytest.raises(ConfigurationError, match="tagged_words"):
        TagLexicon.from_conllu(str(path))
