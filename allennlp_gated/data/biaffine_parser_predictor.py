"""Dependency parses from plain sentences, without a spaCy model."""

import json
from typing import List, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict
from allennlp.data import DatasetReader, Instance
from allennlp.data.tokenizers.tokenizer import Tokenizer
from allennlp.models import Model
from allennlp.predictors.predictor import Predictor
from allennlp_models.structured_prediction import BiaffineDependencyParserPredictor

from allennlp_gated.data.spacy_blank_tokenizer import SpacyBlankTokenizer
from allennlp_gated.data.tag_lexicon import TagLexicon


@Predictor.register("biaffine_dependency_parser_blank")
class BlankBiaffineDependencyParserPredictor(BiaffineDependencyParserPredictor):
    """
    The stock `biaffine_dependency_parser` predictor loads a spaCy model to split and to tag the
    sentence. This one splits by spaCy's rules alone and takes the tags, which the parser needs as
    input, from you or from a treebank; its output has the same form. Registered as a `Predictor`
    with name "biaffine_dependency_parser_blank".

    An input is an object with

    * `"sentence"`, a text to split, or `"words"`, a list of strings;
    * `"pos"`, optional: a tag for each word.

    In a file for `allennlp predict`, a line that is no object is taken for a sentence.

    # Parameters

    model : `Model`
        A `biaffine_parser`.
    dataset_reader : `DatasetReader`
        A `universal_dependencies` reader.
    tags_from : `Optional[str]`, optional (default = `None`)
        A CoNLL-U file, best the one that the parser was trained on. Each word of an input without
        `"pos"` gets the tag that it has there most often; see `TagLexicon`.
    language : `str`, optional (default = `"en"`)
        The language whose rules split a sentence; see `SpacyBlankTokenizer`.
    """

    def __init__(
        self,
        model: Model,
        dataset_reader: DatasetReader,
        tags_from: Optional[str] = None,
        language: str = "en",
    ) -> None:
        # Past the stock constructor, which loads the spaCy model.
        Predictor.__init__(self, model, dataset_reader)
        self._tokenizer: Tokenizer = SpacyBlankTokenizer(language)
        self._lexicon: Optional[TagLexicon] = None
        if tags_from is not None:
            self._lexicon = TagLexicon.from_conllu(
                tags_from, getattr(dataset_reader, "use_language_specific_pos", False)
            )

    def load_line(self, line: str) -> JsonDict:
        """A line of the input file: a JSON object, or else a sentence."""
        if line.lstrip().startswith("{"):
            return json.loads(line)
        return {"sentence": line.strip()}

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        words = self._words(json_dict)
        return self._dataset_reader.text_to_instance(words, self._pos(json_dict, words))

    def _words(self, json_dict: JsonDict) -> List[str]:
        if "words" in json_dict:
            words = list(json_dict["words"])
        elif "sentence" in json_dict:
            words = [token.text for token in self._tokenizer.tokenize(json_dict["sentence"])]
        else:
            raise ConfigurationError(
                f"an input needs 'sentence' or 'words'; this one has {sorted(json_dict)}"
            )
        if not words:
            raise ConfigurationError("an input needs one word at least")
        return words

    def _pos(self, json_dict: JsonDict, words: List[str]) -> List[str]:
        if "pos" in json_dict:
            pos = list(json_dict["pos"])
            if len(pos) != len(words):
                raise ConfigurationError(
                    f"pos: {len(pos)} tags for {len(words)} words; there must be one for each of "
                    f"{words}"
                )
            return pos
        if self._lexicon is None:
            raise ConfigurationError(
                "the parser needs a part-of-speech tag for each word: give 'pos' with each input, "
                "or a treebank to look tags up in, "
                """--predictor-args '{"tags_from": "<train.conllu>"}'"""
            )
        return self._lexicon.tag(words)
