"""What `allennlp weigh` does: weigh an input with one or two models, and write what was found."""

import logging
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Counter as CounterType
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import open_compressed
from allennlp.common.tqdm import Tqdm
from allennlp.predictors import Predictor

from allennlp_gated.weighted_sum.figure import LONGEST_FIGURE, save_figure
from allennlp_gated.weighted_sum.output_folder import (
    COMPARED_WEIGHTS,
    REPORT,
    WEIGHTS,
    OutputFolder,
    write_line,
)
from allennlp_gated.weighted_sum.report import Report
from allennlp_gated.weighted_sum.sentence import WeighedSentence
from allennlp_gated.weighted_sum.sentence_input import (
    count_sentences,
    is_conllu,
    read_sentences,
)
from allennlp_gated.weighted_sum.summary import Summary, write_csv, write_text
from allennlp_gated.weighted_sum.summary_figure import draw_summary
from allennlp_gated.weighted_sum.weigher import Weigher, instances_of

logger = logging.getLogger(__name__)


class NamedModel(NamedTuple):
    """A trained model, as a predictor, and what to call it."""

    name: str
    predictor: Predictor


class InputChoice(NamedTuple):
    """
    # Parameters

    path : `str`
        The input, a local file.
    use_dataset_reader : `bool`
        Whether the model's dataset reader reads it.
    multitask_head : `Optional[str]`
        For a multitask reader, the head to read for.
    batch_size : `int`
        How many sentences to run at a time.
    """

    path: str
    use_dataset_reader: bool = False
    multitask_head: Optional[str] = None
    batch_size: int = 1


class WeightChoice(NamedTuple):
    """
    # Parameters

    only_layers : `Optional[List[int]]`
        Weigh these layers alone; `None` means all.
    only_directions : `Optional[List[str]]`
        Weigh these directions alone; `None` means both.
    largest : `int`
        How many of the largest dimensions the report tells of each pair of words.
    """

    only_layers: Optional[List[int]] = None
    only_directions: Optional[List[str]] = None
    largest: int = 3


class PictureChoice(NamedTuple):
    """
    # Parameters

    longest_figure : `int`
        The most words of one figure; longer sentences are drawn in windows. 0 draws none.
    longest_report : `int`
        The most sentences of the report. 0 writes none.
    """

    longest_figure: int = LONGEST_FIGURE
    longest_report: int = 200


def write_weights(
    models: List[NamedModel],
    inputs: InputChoice,
    weights: WeightChoice,
    pictures: PictureChoice,
    folder: OutputFolder,
) -> None:
    """
    Write each sentence's norms as a line of `weights.jsonl`, its figures into `figures/`, and
    `report.html`, each sentence as soon as it is weighed.

    # Parameters

    models : `List[NamedModel]`
        One model, or two to be compared: the norms of the second go to `weights.compare.jsonl`.
    inputs : `InputChoice`
        What to weigh.
    weights : `WeightChoice`
        Which weights.
    pictures : `PictureChoice`
        What to draw.
    folder : `OutputFolder`
        Where to write.
    """
    weighed = [_weigh(model.predictor, inputs, weights) for model in models]
    folder.clear()
    with ExitStack() as files:
        lines = [
            files.enter_context(folder.open_lines(name))
            for name, _ in zip((WEIGHTS, COMPARED_WEIGHTS), models)
        ]
        report = None
        if pictures.longest_report > 0:
            report = Report(folder.path / REPORT, [model.name for model in models])
            files.enter_context(report)
        for sentences in _with_progress(_side_by_side(weighed), inputs):
            for place, (model, sentence) in enumerate(zip(models, sentences)):
                write_line(lines[place], sentence.to_json())
                if pictures.longest_figure > 0:
                    _draw(sentence, model, pictures.longest_figure, folder, compared=place > 0)
            number = sentences[0].number
            if report is not None and number <= pictures.longest_report:
                report.add(sentences)
            if number == pictures.longest_report + 1 and report is not None:
                logger.warning(
                    "the report holds the first %d sentences alone (--report-sentences); %s has "
                    "them all",
                    pictures.longest_report,
                    WEIGHTS,
                )


def write_summary(
    model: NamedModel,
    inputs: InputChoice,
    weights: WeightChoice,
    frequencies: Optional[str],
    folder: OutputFolder,
) -> List[Path]:
    """
    Write `summary.txt`, `summary.csv`, `summary.png` and `summary.svg`: how long words of each kind
    are remembered.

    # Parameters

    model : `NamedModel`
        The model.
    inputs : `InputChoice`
        The corpus.
    weights : `WeightChoice`
        Which weights.
    frequencies : `Optional[str]`
        A text to count words in; `None` counts those of the input.
    folder : `OutputFolder`
        Where to write.

    # Returns

    `List[Path]`
        What was written.
    """
    summary = Summary(None if frequencies is None else count_words(frequencies))
    weighed = _weigh(model.predictor, inputs, weights._replace(largest=0))
    for (sentence,) in _with_progress(_side_by_side([weighed]), inputs):
        summary.add(sentence)
    rows = summary.rows()
    if not rows:
        raise ConfigurationError(f"input: {inputs.path} holds no sentences")
    table, text = folder.path / "summary.csv", folder.path / "summary.txt"
    write_csv(rows, table)
    write_text(rows, text)
    return [text, table, *save_figure(draw_summary(rows, model.name), folder.path / "summary")]


def count_words(path: str) -> Dict[str, int]:
    """How often each lower-cased word occurs in a text that is split by spaces, or in CoNLL-U."""
    counts: CounterType[str] = Counter()
    with open_compressed(path) as lines:
        for line in lines:
            if not is_conllu(path):
                counts.update(line.lower().split())
            elif line.split("\t")[0].isdigit():
                counts[line.split("\t")[1].lower()] += 1
    return counts


def _weigh(
    predictor: Predictor, inputs: InputChoice, weights: WeightChoice
) -> Iterator[List[WeighedSentence]]:
    weigher = Weigher(predictor, weights.only_layers, weights.only_directions, weights.largest)
    if inputs.use_dataset_reader:
        instances = instances_of(predictor, inputs.path, inputs.multitask_head)
        return weigher.weigh_instances(instances, inputs.batch_size)
    return weigher.weigh_inputs(read_sentences(inputs.path, predictor), inputs.batch_size)


def _side_by_side(
    weighed: List[Iterator[List[WeighedSentence]]],
) -> Iterator[Tuple[WeighedSentence, ...]]:
    """The same sentence by each model."""
    for batches in zip(*weighed):
        if len({len(batch) for batch in batches}) > 1:
            raise ConfigurationError(
                "compare: the two models make different numbers of instances of the same input, "
                f"{' and '.join(str(len(batch)) for batch in batches)} near sentence "
                f"{batches[0][0].number if batches[0] else '?'}"
            )
        yield from zip(*batches)


def _with_progress(
    sentences: Iterator[Tuple[WeighedSentence, ...]], inputs: InputChoice
) -> Iterator[Tuple[WeighedSentence, ...]]:
    total = None if inputs.use_dataset_reader else count_sentences(inputs.path)
    empty = True
    for sentence in Tqdm.tqdm(sentences, total=total, desc="weighing", unit=" sentences"):
        empty = False
        yield sentence
    if empty:
        raise ConfigurationError(f"input: {inputs.path} holds no sentences")


def _draw(
    sentence: WeighedSentence,
    model: NamedModel,
    longest: int,
    folder: OutputFolder,
    compared: bool,
) -> None:
    saved = folder.draw(sentence, model.name, longest, compared)
    if len(saved) > 2:
        logger.warning(
            "sentence %d is too long for one readable figure of %d words (--figure-words): it is "
            "drawn in %d that overlap; its norms and the report have it whole",
            sentence.number,
            longest,
            len(saved) // 2,
        )
