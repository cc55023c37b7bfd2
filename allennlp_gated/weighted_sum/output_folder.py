"""The folder that `allennlp weigh` writes into, and rewrites when it is run again."""

import json
import re
from pathlib import Path
from typing import IO, Any, List, Union

from allennlp.common.checks import ConfigurationError

from allennlp_gated.weighted_sum.figure import draw_sentence, save_figure, windows_of
from allennlp_gated.weighted_sum.sentence import WeighedSentence

WEIGHTS = "weights.jsonl"
COMPARED_WEIGHTS = "weights.compare.jsonl"
REPORT = "report.html"
FIGURES = "figures"

_OUR_FIGURE = re.compile(r"\d{4,}(\.compare)?(\.words_\d+-\d+)?\.(png|svg)")


class OutputFolder:
    """
    # Parameters

    path : `Union[str, Path]`
        The folder. It is made if it is not there.

    # Raises

    `ConfigurationError`
        If it cannot be written.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(
                f"output-dir: {self.path} cannot be written ({error.strerror}); "
                "name a folder that can be"
            ) from None

    def clear(self) -> None:
        """Remove the figures of an earlier run. What is not ours stays."""
        figures = self.path / FIGURES
        if figures.is_dir():
            for file in figures.iterdir():
                if _OUR_FIGURE.fullmatch(file.name):
                    file.unlink()

    def open_lines(self, name: str) -> IO[str]:
        """Open a file to be written line by line, each on disk as soon as it is written."""
        return open(self.path / name, "w", encoding="utf-8", buffering=1)

    def draw(
        self, sentence: WeighedSentence, model: str, longest: int, compared: bool = False
    ) -> List[Path]:
        """
        # Parameters

        sentence : `WeighedSentence`
            A sentence.
        model : `str`
            What to call the model.
        longest : `int`
            The most words of one figure; a longer sentence is drawn in windows.
        compared : `bool`, optional (default = `False`)
            Whether the model is the one that the first is compared with.

        # Returns

        `List[Path]`
            The figures.
        """
        figures = self.path / FIGURES
        figures.mkdir(exist_ok=True)
        stem = f"{sentence.number:04d}" + (".compare" if compared else "")
        length = max(len(words) for words in sentence.texts.values())
        windows = windows_of(length, longest)
        saved = []
        for window in windows:
            if len(windows) == 1:
                figure, name = draw_sentence(sentence, model), stem
            else:
                figure = draw_sentence(sentence, model, window)
                name = f"{stem}.words_{window.start + 1:03d}-{window.stop:03d}"
            saved += save_figure(figure, figures / name)
        return saved


def write_line(lines: IO[str], data: Any) -> None:
    """Write one line of JSON."""
    lines.write(json.dumps(data, ensure_ascii=False) + "\n")
