"""Reads what is to be weighed: JSON lines, plain sentences or CoNLL-U, as they come."""

import json
from difflib import SequenceMatcher
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import conllu
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import open_compressed
from allennlp.predictors import Predictor

from allennlp_gated.weighted_sum.sentence import Word


class InputSentence(NamedTuple):
    """
    # Parameters

    place : `str`
        Where it stands, for messages: `line 3`.
    inputs : `Dict[str, Any]`
        What a predictor is given.
    words : `Optional[List[Word]]`
        Its words and their tree, if the input has them.
    is_plain : `bool`
        Whether it is a sentence alone, for which `sentence` is only the most likely name.
    """

    place: str
    inputs: Dict[str, Any]
    words: Optional[List[Word]] = None
    is_plain: bool = False


def is_conllu(path: str) -> bool:
    """Whether a file is CoNLL-U, by its name."""
    return path.endswith((".conllu", ".conllu.gz"))


def read_sentences(path: str, predictor: Predictor) -> Iterator[InputSentence]:
    """
    # Parameters

    path : `str`
        A local file: CoNLL-U if its name says so; otherwise each line is a JSON object, read as
        `allennlp predict` reads it, or a plain sentence. Blank lines are passed over.
    predictor : `Predictor`
        Whose `load_line` reads JSON.

    # Returns

    `Iterator[InputSentence]`
        The sentences, as they are read.

    # Raises

    `ConfigurationError`
        If a line is no valid JSON though it starts like it, or holds no words.
    """
    with open_compressed(path) as lines:
        if is_conllu(path):
            for number, tree in enumerate(conllu.parse_incr(lines), 1):
                words = _words_of_tree(tree)
                text = " ".join(word.form for word in words)
                yield InputSentence(f"sentence {number}", {"sentence": text}, words, True)
            return
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"line {number}"
            inputs = {"sentence": line.strip()}
            is_plain = not line.lstrip().startswith("{")
            if not is_plain:
                try:
                    inputs = predictor.load_line(line)
                except json.JSONDecodeError as error:
                    raise ConfigurationError(f"input, {place}: not valid JSON: {error}") from None
            check_not_empty(place, inputs)
            yield InputSentence(place, inputs, is_plain=is_plain)


def count_sentences(path: str) -> int:
    """How many sentences `read_sentences` will give: a quick count, for a progress bar."""
    with open_compressed(path) as lines:
        if not is_conllu(path):
            return sum(1 for line in lines if line.strip())
        return sum(1 for line in lines if line.startswith("1\t"))


def check_not_empty(place: str, inputs: Dict[str, Any]) -> None:
    """
    # Raises

    `ConfigurationError`
        If any text among the inputs has no words.
    """
    for name, value in inputs.items():
        if isinstance(value, str) and not value.strip():
            raise ConfigurationError(f"input, {place}: {name!r} is empty; it must have words")
    if not inputs:
        raise ConfigurationError(f"input, {place}: has no fields; give at least a 'sentence'")


def annotate(words: List[Word], annotated: List[Word]) -> List[Word]:
    """
    Words as a model saw them, with what is known of the same words in the input. Boundary words
    and words that were split otherwise stay without.

    # Parameters

    words : `List[Word]`
        The model's words.
    annotated : `List[Word]`
        The input's words.

    # Returns

    `List[Word]`
        The model's words; a head is a position among them.
    """
    ours, theirs = ([one.form.lower() for one in each] for each in (words, annotated))
    position: Dict[int, int] = {}
    for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            position[block.b + offset] = block.a + offset
    result = list(words)
    for their_index, our_index in position.items():
        known = annotated[their_index]
        head = known.head
        if head:
            head = position[head - 1] + 1 if head - 1 in position else None
        result[our_index] = words[our_index]._replace(
            pos=known.pos, relation=known.relation, head=head
        )
    return result


def _words_of_tree(tree: conllu.TokenList) -> List[Word]:
    """The syntactic words: neither multiword ranges nor empty nodes, which have other ids."""
    return [
        Word(token["form"], token.get("upos"), token.get("deprel"), token.get("head"))
        for token in tree
        if isinstance(token["id"], int)
    ]
