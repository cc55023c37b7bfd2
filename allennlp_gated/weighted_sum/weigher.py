"""Runs a trained model on its input, as its predictor does, and weighs what its encoders did."""

import logging
from typing import Any, Callable, Collection, Dict, Iterator, List, Optional, Set, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import lazy_groups_of
from allennlp.data import Instance
from allennlp.data.dataset_readers import MultiTaskDatasetReader
from allennlp.predictors import Predictor
from allennlp_models.generation.modules.decoder_nets import DecoderNet

from allennlp_gated.weighted_sum.recorder import DIRECTIONS, RecordedLayer, WeightRecorder
from allennlp_gated.weighted_sum.sentence import WeighedSentence, text_fields, weigh_instance
from allennlp_gated.weighted_sum.sentence_input import InputSentence, annotate

logger = logging.getLogger(__name__)


class Weigher:
    """
    # Parameters

    predictor : `Predictor`
        The predictor of a trained model.
    only_layers : `Optional[Collection[int]]`, optional (default = `None`)
        Weigh these layers alone, counted from 0; `None` means all.
    only_directions : `Optional[Collection[str]]`, optional (default = `None`)
        Weigh these directions alone, of `forward` and `backward`; `None` means both.
    largest : `int`, optional (default = `3`)
        How many of the largest dimensions to keep for each pair of words.

    # Raises

    `ConfigurationError`
        If nothing in the model has a memory cell.
    """

    def __init__(
        self,
        predictor: Predictor,
        only_layers: Optional[Collection[int]] = None,
        only_directions: Optional[Collection[str]] = None,
        largest: int = 3,
    ) -> None:
        for direction in only_directions or ():
            if direction not in DIRECTIONS:
                raise ConfigurationError(
                    f"direction: {direction!r} is none of {', '.join(DIRECTIONS)}"
                )
        self._predictor = predictor
        self._model = predictor._model
        self._largest = largest
        self._only_layers = only_layers
        self._recorder = WeightRecorder(self._model, only_layers, only_directions)
        self._number = 0
        self._not_sentences: Set[str] = set()
        self._decoders = tuple(
            name + "."
            for name, module in self._model.named_modules()
            if isinstance(module, DecoderNet)
        )

    def weigh_inputs(
        self, inputs: Iterator[InputSentence], batch_size: int = 1
    ) -> Iterator[List[WeighedSentence]]:
        """
        # Parameters

        inputs : `Iterator[InputSentence]`
            What the predictor is given.
        batch_size : `int`, optional (default = `1`)
            How many to run at a time.

        # Returns

        `Iterator[List[WeighedSentence]]`
            For each batch, one for each instance that the predictor made of it: most make one.
        """
        for batch in lazy_groups_of(inputs, batch_size):
            place = batch[0].place if len(batch) == 1 else f"{batch[0].place} to {batch[-1].place}"
            with _CaughtInstances(self._model, self._recorder, place) as caught:
                if _makes_instances(self._predictor):
                    _predict(self._predictor, batch)
                else:
                    self._model.forward_on_instances(
                        [_instance_without_predictor(self._predictor, one) for one in batch]
                    )
            sentences = self._weigh(caught)
            known = [one.words for one in batch]
            # With as many instances as inputs, each belongs to its own.
            if len(sentences) == len(batch) and any(known):
                sentences = [
                    _with_annotations(sentence, words) if words else sentence
                    for sentence, words in zip(sentences, known)
                ]
            yield sentences

    def weigh_instances(
        self, instances: Iterator[Instance], batch_size: int = 1
    ) -> Iterator[List[WeighedSentence]]:
        """
        # Parameters

        instances : `Iterator[Instance]`
            What a dataset reader made.
        batch_size : `int`, optional (default = `1`)
            How many to run at a time.

        # Returns

        `Iterator[List[WeighedSentence]]`
            For each batch, one for each instance.
        """
        for batch in lazy_groups_of(instances, batch_size):
            place = f"instance {self._number + 1}"
            with _CaughtInstances(self._model, self._recorder, place) as caught:
                # Not `predict_batch_instance`: it also decodes what nobody will read.
                for instance in batch:
                    self._predictor._dataset_reader.apply_token_indexers(instance)
                self._model.forward_on_instances(batch)
            yield self._weigh(caught)

    def _weigh(self, caught: "_CaughtInstances") -> List[WeighedSentence]:
        sentences = []
        for instances, recorded in caught.runs:
            recorded = [one for one in recorded if self._reads_sentences(one, len(instances))]
            for place, instance in enumerate(instances):
                self._number += 1
                sentence = weigh_instance(self._number, instance, place, recorded, self._largest)
                if not sentence.layers:
                    self._raise_nothing_weighed()
                sentences.append(sentence)
        return sentences

    def _reads_sentences(self, recorded: RecordedLayer, instance_count: int) -> bool:
        """Whether each row of a run is a sentence: those of a decoder and of characters are not."""
        if (recorded.module + ".").startswith(self._decoders):
            reason = "it is a decoder, which makes one step at a time"
        elif recorded.batch_size != instance_count:
            reason = (
                f"it reads {recorded.batch_size} rows for {instance_count} instances, so its rows "
                "are not sentences"
            )
        else:
            return recorded.module not in self._not_sentences
        if recorded.module not in self._not_sentences:
            self._not_sentences.add(recorded.module)
            logger.warning("%r is left out: %s", recorded.module, reason)
        return False

    def _raise_nothing_weighed(self) -> None:
        chosen = ""
        if self._only_layers is not None:
            chosen = (
                f" and is among the layers {sorted(self._only_layers)} and directions asked for"
            )
        raise ConfigurationError(
            f"model: no encoder of it ran that has a memory cell, reads whole sentences{chosen}"
        )


class _CaughtInstances:
    """Keeps the instances of each run of a model with what was recorded of it."""

    def __init__(self, model: Any, recorder: WeightRecorder, place: str) -> None:
        self.runs: List[Tuple[List[Instance], List[RecordedLayer]]] = []
        self._model = model
        self._recorder = recorder
        self._place = place

    def __enter__(self) -> "_CaughtInstances":
        forward = self._model.forward_on_instances

        def watched(instances: List[Instance]) -> List[Dict[str, Any]]:
            for instance in instances:
                fields = text_fields(instance)
                for name, field in fields.items():
                    if not field.tokens:
                        raise ConfigurationError(
                            f"input, {self._place}: {name!r} is empty; it must have words"
                        )
            self._recorder.take()
            with self._recorder:
                outputs = forward(instances)
            self.runs.append((list(instances), self._recorder.take()))
            return outputs

        # On the instance, not the class: predictors of whatever kind end up calling it.
        self._model.forward_on_instances = watched
        return self

    def __exit__(self, *_: Any) -> None:
        self._model.__dict__.pop("forward_on_instances", None)


def instances_of(
    predictor: Predictor, path: str, multitask_head: Optional[str] = None
) -> Iterator[Instance]:
    """
    # Parameters

    predictor : `Predictor`
        Whose dataset reader reads.
    path : `str`
        The file to read.
    multitask_head : `Optional[str]`, optional (default = `None`)
        For a multitask reader, the head to read for.

    # Returns

    `Iterator[Instance]`
        As for `allennlp predict --use-dataset-reader`.
    """
    reader = predictor._dataset_reader
    if isinstance(reader, MultiTaskDatasetReader):
        if multitask_head is None:
            raise ConfigurationError(
                f"multitask-head: must be given for this model, one of {', '.join(reader.readers)}"
            )
        return _as_instances(reader.read(path, force_task=multitask_head))
    return _as_instances(reader.read(path))


def _as_instances(read: Any) -> Iterator[Instance]:
    return iter(read)


def _predict(predictor: Predictor, batch: List[InputSentence]) -> None:
    inputs = [one.inputs for one in batch]
    predict = predictor.predict_batch_json if len(batch) > 1 else _predict_one(predictor)
    try:
        predict(inputs)
    except KeyError as error:
        # What a predictor calls a plain sentence it tells by asking for it: `source`, `document`.
        if not all(one.is_plain for one in batch) or error.args == ("sentence",):
            raise ConfigurationError(
                f"input, {batch[0].place}: {type(predictor).__name__} asks for {error}, which is "
                f"not among {sorted(inputs[0])}"
            ) from error
        predict([{str(error.args[0]): one["sentence"]} for one in inputs])


def _predict_one(predictor: Predictor) -> Callable[[List[Dict[str, Any]]], Any]:
    return lambda inputs: predictor.predict_json(inputs[0])


def _makes_instances(predictor: Predictor) -> bool:
    """Whether the predictor is more than AllenNLP's base class, which cannot read JSON."""
    return type(predictor) is not Predictor


def _instance_without_predictor(predictor: Predictor, sentence: InputSentence) -> Instance:
    """For models without a predictor, such as language models: their reader makes the instance."""
    reader = predictor._dataset_reader
    try:
        try:
            instance = reader.text_to_instance(**sentence.inputs)
        except TypeError:
            # A plain sentence goes to the reader's only parameter, whatever it is called.
            if list(sentence.inputs) != ["sentence"]:
                raise
            instance = reader.text_to_instance(sentence.inputs["sentence"])
    except Exception as error:
        raise ConfigurationError(
            f"input, {sentence.place}: the model has no predictor of its own, and its reader "
            f"{type(reader).__name__} makes no instance of {sorted(sentence.inputs)} ({error}); "
            "choose one with --predictor, or give a file that the reader reads with "
            "--use-dataset-reader"
        ) from error
    reader.apply_token_indexers(instance)
    return instance


def _with_annotations(sentence: WeighedSentence, words: Any) -> WeighedSentence:
    texts = {name: annotate(text, words) for name, text in sentence.texts.items()}
    return sentence._replace(texts=texts)
