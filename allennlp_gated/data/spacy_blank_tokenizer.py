"""spaCy's tokenizer without a spaCy model, hence without a download."""

from functools import lru_cache
from typing import Any, Dict, List, Optional

import spacy
from allennlp.common.checks import ConfigurationError
from allennlp.data.tokenizers.token_class import Token
from allennlp.data.tokenizers.tokenizer import Tokenizer


@lru_cache(maxsize=None)
def _blank_pipeline(language: str) -> Any:
    try:
        return spacy.blank(language)
    except ImportError as error:
        raise ConfigurationError(
            f"language: {language!r} is no language of spaCy's; give its code, such as 'en'"
        ) from error


@Tokenizer.register("spacy_blank")
class SpacyBlankTokenizer(Tokenizer):
    """
    Splits as the stock `spacy` tokenizer does, by the rules of the language alone: those are in
    spaCy itself, and only tags and the like need a model. Registered as a `Tokenizer` with name
    "spacy_blank".

    # Parameters

    language : `str`, optional (default = `"en"`)
        The code of the language whose rules to use.
    keep_spacy_tokens : `bool`, optional (default = `False`)
        Whether to return spaCy's own tokens, which cannot be pickled.
    split_on_spaces : `bool`, optional (default = `False`)
        Whether to split at spaces and nowhere else.
    start_tokens : `Optional[List[str]]`, optional (default = `None`)
        Put before each text, in this order.
    end_tokens : `Optional[List[str]]`, optional (default = `None`)
        Put after each text, in this order.
    """

    def __init__(
        self,
        language: str = "en",
        keep_spacy_tokens: bool = False,
        split_on_spaces: bool = False,
        start_tokens: Optional[List[str]] = None,
        end_tokens: Optional[List[str]] = None,
    ) -> None:
        self._pipeline = _blank_pipeline(language)
        self._language = language
        self._keep_spacy_tokens = keep_spacy_tokens
        self._split_on_spaces = split_on_spaces
        self._start_tokens = list(start_tokens or [])
        self._end_tokens = list(end_tokens or [])

    def tokenize(self, text: str) -> List[Token]:
        """
        # Parameters

        text : `str`
            Any text.

        # Returns

        `List[Token]`
            Its tokens without those that are only space.
        """
        if self._split_on_spaces:
            # An empty string, as of two spaces in a row, is no word to spaCy.
            words = [word for word in text.split(" ") if word]
            document = spacy.tokens.Doc(self._pipeline.vocab, words=words)
        else:
            document = self._pipeline(text)
        # spaCy's tokens are used as AllenNLP's: they have the same attributes.
        tokens: List[Any] = [
            token if self._keep_spacy_tokens else _plain(token)
            for token in document
            if not token.is_space
        ]
        before = [Token(start, 0) for start in self._start_tokens]
        after = [Token(end, -1) for end in self._end_tokens]
        return [*before, *tokens, *after]

    def _to_params(self) -> Dict[str, Any]:
        return {
            "type": "spacy_blank",
            "language": self._language,
            "keep_spacy_tokens": self._keep_spacy_tokens,
            "split_on_spaces": self._split_on_spaces,
            "start_tokens": self._start_tokens,
            "end_tokens": self._end_tokens,
        }


def _plain(token: "spacy.tokens.Token") -> Token:
    return Token(token.text, token.idx, token.idx + len(token.text))
