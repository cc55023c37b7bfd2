"""Part-of-speech tags looked up by word: no model, only counts over a treebank."""

from collections import Counter, defaultdict
from typing import Counter as CounterType
from typing import DefaultDict, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from conllu import parse_incr

LONGEST_SUFFIX = 4


class TagLexicon:
    """
    Gives each word the tag that it had most often; a word never seen gets the tag of the seen
    words with which it shares the longest ending, up to four letters, and its capital.

    # Parameters

    tagged_words : `Sequence[Tuple[str, str]]`
        Words in running text, each with its tag.

    # Raises

    `ConfigurationError`
        If there is no tagged word.
    """

    def __init__(self, tagged_words: Sequence[Tuple[str, str]]) -> None:
        if not tagged_words:
            raise ConfigurationError("tagged_words: there must be one at least")
        self._by_word: DefaultDict[str, CounterType[str]] = defaultdict(Counter)
        self._by_suffix: DefaultDict[Tuple[bool, str], CounterType[str]] = defaultdict(Counter)
        for word, tag in tagged_words:
            self._by_word[word][tag] += 1
        for word, tags in self._by_word.items():
            # Each word counts once: those yet unseen are more like the many rare words than like
            # the few frequent ones.
            for key in _suffixes(word):
                self._by_suffix[key].update(tags.keys())

    @classmethod
    def from_conllu(cls, path: str, use_language_specific_pos: bool = False) -> "TagLexicon":
        """
        # Parameters

        path : `str`
            A treebank in CoNLL-U. Multiword-token ranges and empty nodes are passed over.
        use_language_specific_pos : `bool`, optional (default = `False`)
            Whether to take the fifth column in place of the fourth.

        # Returns

        `TagLexicon`
            The tags counted.
        """
        column = "xpos" if use_language_specific_pos else "upos"
        tagged_words = []
        with open(cached_path(path), encoding="utf-8") as lines:
            for sentence in parse_incr(lines):
                tagged_words += [
                    (word["form"], word[column]) for word in sentence if isinstance(word["id"], int)
                ]
        return cls(tagged_words)

    def tag(self, words: Sequence[str]) -> List[str]:
        """
        # Parameters

        words : `Sequence[str]`
            A sentence.

        # Returns

        `List[str]`
            A tag for each word.
        """
        return [self._tag_of(word, is_first=index == 0) for index, word in enumerate(words)]

    def _tag_of(self, word: str, is_first: bool) -> str:
        lowered = word[:1].lower() + word[1:]
        raised = word[:1].upper() + word[1:]
        # A capital says little at the beginning of a sentence.
        for form in (lowered, raised) if is_first else (word, lowered, raised):
            if form in self._by_word:
                return self._by_word[form].most_common(1)[0][0]
        for key in _suffixes(lowered if is_first else word):
            if key in self._by_suffix:
                return self._by_suffix[key].most_common(1)[0][0]
        return self._by_suffix[False, ""].most_common(1)[0][0]


def _suffixes(word: str) -> List[Tuple[bool, str]]:
    """A word's endings, longest first and the empty one last, with whether it has a capital."""
    longest = min(LONGEST_SUFFIX, len(word))
    is_capital = word[:1].isupper()
    return [(is_capital, word[len(word) - size :].lower()) for size in range(longest, -1, -1)]
