"""
The `weigh` subcommand shows what the memory cells of a trained model compute: a weighted sum of
their inputs (equation 8 of Levy et al. 2018).
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from allennlp.commands.subcommand import Subcommand
from allennlp.common import logging as common_logging
from allennlp.common.checks import ConfigurationError, check_for_gpu
from allennlp.common.file_utils import cached_path
from allennlp.models.archival import load_archive
from allennlp.predictors.predictor import Predictor

if TYPE_CHECKING:
    from allennlp_gated.weighted_sum.run import NamedModel


@Subcommand.register("weigh")
class Weigh(Subcommand):
    """
    Registered as a `Subcommand` with name "weigh". Its options are those of `allennlp predict`
    where it has them.
    """

    def add_subparser(
        self, parser: "argparse._SubParsersAction[argparse.ArgumentParser]"
    ) -> argparse.ArgumentParser:
        subparser = parser.add_parser(
            self.name,
            description="Run a trained model on an input and show the weighted sums that its "
            "memory cells compute.",
            help="Show the weighted sums that a trained model's memory cells compute.",
        )
        subparser.add_argument("archive_file", type=str, help="the archived model")
        subparser.add_argument(
            "input_file",
            type=str,
            help="path to or url of the input: JSON lines as for predict, plain sentences, or "
            "CoNLL-U (.conllu); - reads from stdin",
        )
        subparser.add_argument(
            "-o", "--output-dir", type=str, required=True, help="the folder to write to"
        )
        subparser.add_argument(
            "--compare",
            type=str,
            metavar="ARCHIVE_FILE",
            help="a second archived model, to be shown beside the first",
        )
        subparser.add_argument(
            "--summary",
            action="store_true",
            help="write no pictures of sentences, but how long words of each kind are remembered",
        )
        subparser.add_argument(
            "--frequencies",
            type=str,
            metavar="TEXT_FILE",
            help="with --summary, the text to count words in for the deciles of frequency; by "
            "default the input",
        )
        subparser.add_argument(
            "--layer",
            type=int,
            nargs="+",
            metavar="LAYER",
            help="weigh these layers alone, counted from 0",
        )
        subparser.add_argument(
            "--direction", choices=["forward", "backward"], help="weigh this direction alone"
        )
        subparser.add_argument(
            "--largest",
            type=int,
            default=3,
            help="how many of the largest dimensions the report tells of each pair of words",
        )
        subparser.add_argument(
            "--figure-words",
            type=int,
            default=60,
            help="the most words of one figure: a longer sentence is drawn in windows that overlap",
        )
        subparser.add_argument("--no-figures", action="store_true", help="draw no figures")
        subparser.add_argument(
            "--report-sentences",
            type=int,
            default=200,
            help="the most sentences of the HTML report; 0 writes none",
        )
        subparser.add_argument(
            "--weights-file", type=str, help="a path that overrides which weights file to use"
        )
        subparser.add_argument(
            "--batch-size", type=int, default=1, help="the batch size to use for processing"
        )
        subparser.add_argument(
            "--cuda-device", type=int, default=-1, help="id of GPU to use (if any)"
        )
        subparser.add_argument(
            "--use-dataset-reader",
            action="store_true",
            help="read the input with the model's dataset reader, as predict does",
        )
        subparser.add_argument(
            "--dataset-reader-choice",
            choices=["train", "validation"],
            default="validation",
            help="which of the model's dataset readers that is",
        )
        subparser.add_argument(
            "--multitask-head",
            type=str,
            help="for a multitask model and its dataset reader, the head to read for",
        )
        subparser.add_argument(
            "--overrides",
            type=str,
            default="",
            help="a json(net) structure used to override the experiment configuration",
        )
        subparser.add_argument("--predictor", type=str, help="the predictor to use")
        subparser.add_argument(
            "--predictor-args",
            type=str,
            default="",
            help="a JSON structure of further parameters for the predictor",
        )
        subparser.add_argument(
            "--file-friendly-logging",
            action="store_true",
            help="outputs tqdm status on separate lines and slows tqdm refresh rate",
        )
        subparser.set_defaults(func=weigh_from_args)
        return subparser


def weigh_from_args(args: argparse.Namespace) -> None:
    """Run the command: `args` as the subparser reads them."""
    # Drawing needs matplotlib and plotly, which other commands should not wait for.
    from allennlp_gated.weighted_sum.output_folder import OutputFolder
    from allennlp_gated.weighted_sum.run import (
        InputChoice,
        PictureChoice,
        WeightChoice,
        write_summary,
        write_weights,
    )

    common_logging.FILE_FRIENDLY_LOGGING = args.file_friendly_logging
    _check(args)
    folder = OutputFolder(args.output_dir)
    weights = WeightChoice(args.layer, [args.direction] if args.direction else None, args.largest)
    with tempfile.TemporaryDirectory() as temporary:
        inputs = InputChoice(
            _local_file(args.input_file, temporary),
            args.use_dataset_reader,
            args.multitask_head,
            args.batch_size,
        )
        models = [_load(args.archive_file, args)]
        if args.summary:
            frequencies = None if args.frequencies is None else str(cached_path(args.frequencies))
            for path in write_summary(models[0], inputs, weights, frequencies, folder):
                print(path)
            return
        if args.compare:
            models.append(_load(args.compare, args))
        longest_figure = 0 if args.no_figures else args.figure_words
        pictures = PictureChoice(longest_figure, args.report_sentences)
        write_weights(models, inputs, weights, pictures, folder)
        print(folder.path)


def _check(args: argparse.Namespace) -> None:
    smallest = {"batch_size": 1, "figure_words": 2, "largest": 0, "report_sentences": 0}
    for name, least in smallest.items():
        if getattr(args, name) < least:
            raise ConfigurationError(
                f"{name.replace('_', '-')}: must be at least {least}, not {getattr(args, name)}"
            )
    if any(layer < 0 for layer in args.layer or ()):
        raise ConfigurationError(f"layer: must be counted from 0, not {args.layer}")
    if args.frequencies and not args.summary:
        raise ConfigurationError("frequencies: is for --summary alone")
    if args.compare and args.summary:
        raise ConfigurationError("compare: a summary is of one archive; run it once for each")


def _local_file(path: str, temporary: str) -> str:
    """A file that can be read twice, whatever the input is."""
    if path != "-":
        return str(cached_path(path))
    file = Path(temporary) / "stdin"
    with open(file, "w", encoding="utf-8") as copy:
        shutil.copyfileobj(sys.stdin, copy)
    return str(file)


def _load(archive_file: str, args: argparse.Namespace) -> "NamedModel":
    from allennlp_gated.weighted_sum.run import NamedModel

    check_for_gpu(args.cuda_device)
    archive = load_archive(
        archive_file,
        weights_file=args.weights_file,
        cuda_device=args.cuda_device,
        overrides=args.overrides,
    )
    if args.use_dataset_reader and args.predictor is None:
        # The model's own predictor has nothing to read, and may ask for models to read it with.
        choice = args.dataset_reader_choice
        reader = (
            archive.validation_dataset_reader if choice == "validation" else archive.dataset_reader
        )
        archive.model.eval()
        predictor = Predictor(archive.model, reader)
    else:
        predictor = Predictor.from_archive(
            archive,
            args.predictor,
            dataset_reader_to_load=args.dataset_reader_choice,
            extra_args=json.loads(args.predictor_args) if args.predictor_args.strip() else {},
        )
    return NamedModel(_name_of(archive_file), predictor)


def _name_of(archive_file: str) -> str:
    """What tells two archives apart: the folder of a `model.tar.gz`, or the file's own name."""
    path = Path(archive_file)
    return path.parent.name if path.name == "model.tar.gz" and path.parent.name else path.name
