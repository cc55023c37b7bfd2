"""The tokenizer against the stock one, which is given the same language as a model on disk."""

import copy
from pathlib import Path
from typing import Any, Dict, List

import pytest
import spacy
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data.tokenizers import SpacyTokenizer, Tokenizer

from allennlp_gated.data.spacy_blank_tokenizer import SpacyBlankTokenizer

TEXTS = [
    "The farmer didn't see Dr. Miller's dog (it hid).",
    "  It costs $3.50,  or so they'd say ... at http://example.org/a?b=c !",
    "Rock'n'roll, e.g. in the U.S.A.\n\nA new-born well-known\ttrick;",
    "",
    "   ",
    "naïve café — “quoted” 👍",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spacy") / "blank"
    spacy.blank("en").to_disk(path)
    return path


@pytest.mark.parametrize("split_on_spaces", [False, True])
def test_splits_as_the_stock_tokenizer(model: Path, split_on_spaces: bool) -> None:
    options: Dict[str, Any] = {
        "split_on_spaces": split_on_spaces,
        "start_tokens": ["<s>", "<t>"],
        "end_tokens": ["</s>"],
    }
    # The stock tokenizer reverses the list that it is given.
    stock = SpacyTokenizer(str(model), pos_tags=False, **copy.deepcopy(options))
    ours = SpacyBlankTokenizer(**options)
    # Split on spaces, spaCy refuses the empty word between two of them; ours does not.
    texts = [text for text in TEXTS if text and "  " not in text] if split_on_spaces else TEXTS
    for text in texts:
        expected = [(token.text, token.idx, token.idx_end) for token in stock.tokenize(text)]
        assert [(t.text, t.idx, t.idx_end) for t in ours.tokenize(text)] == expected
        assert [t.text for t in ours.batch_tokenize([text])[0]] == [one[0] for one in expected]


def test_tokens_lie_where_they_say() -> None:
    text = TEXTS[0]
    for token in SpacyBlankTokenizer().tokenize(text):
        assert text[token.idx : token.idx_end] == token.text


def test_splits_on_spaces_however_many() -> None:
    tokens = SpacyBlankTokenizer(split_on_spaces=True).tokenize(" isn't  it? ")
    assert [token.text for token in tokens] == ["isn't", "it?"]


def test_keeps_spacy_tokens_if_asked() -> None:
    tokens: List[Any] = SpacyBlankTokenizer(keep_spacy_tokens=True).tokenize("It works.")
    assert [type(token) for token in tokens] == [spacy.tokens.Token] * 3


def test_is_registered_and_writes_its_parameters() -> None:
    tokenizer = Tokenizer.from_params(
        Params({"type": "spacy_blank", "start_tokens": ["a", "b"], "end_tokens": ["c"]})
    )
    again = Tokenizer.from_params(Params(tokenizer._to_params()))
    for one in tokenizer, again:
        assert [token.text for token in one.tokenize("It works.")] == [
            "a",
            "b",
            "It",
            "works",
            ".",
            "c",
        ]


def test_names_an_unknown_language() -> None:
    with pytest.raises(ConfigurationError, match="language: 'xx-none'"):
        SpacyBlankTokenizer("xx-none")
