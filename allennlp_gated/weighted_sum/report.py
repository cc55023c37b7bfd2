"""
The interactive report: one HTML file that holds its data, its script and plotly's, so that it opens
from disk without a network.
"""

import base64
import html
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, TextIO, Type

import numpy
from plotly.offline import get_plotlyjs

from allennlp_gated.weighted_sum.sentence import WeighedLayer, WeighedSentence

_HERE = Path(__file__).parent


class Report:
    """
    A context manager that writes a report sentence by sentence, and puts it in place when all are
    written: until then, and if anything fails, the path holds what it held before.

    # Parameters

    path : `Path`
        Where the report goes.
    models : `Sequence[str]`
        What to call the models, of which there may be two to be compared.
    """

    def __init__(self, path: Path, models: Sequence[str]) -> None:
        self._path = path
        self._unfinished = path.with_name(path.name + ".part")
        self._models = list(models)
        self._file: Optional[TextIO] = None
        self._count = 0

    def __enter__(self) -> "Report":
        before, _ = _page()
        self._file = open(self._unfinished, "w", encoding="utf-8")
        self._file.write(before)
        return self

    def add(self, sentences: Sequence[WeighedSentence]) -> None:
        """
        # Parameters

        sentences : `Sequence[WeighedSentence]`
            The same sentence as each of the models weighed it.
        """
        assert self._file is not None
        data = {
            "number": sentences[0].number,
            "models": [_sentence_data(sentence) for sentence in sentences],
        }
        self._file.write(_script_tag("sentence", data))
        self._count += 1

    def __exit__(
        self,
        exception_type: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        assert self._file is not None
        with self._file:
            if exception is None:
                _, after = _page()
                self._file.write(_script_tag("models", self._models))
                self._file.write(after)
        if exception is None:
            os.replace(self._unfinished, self._path)
        else:
            self._unfinished.unlink()


def _page() -> List[str]:
    """The page before and after its data."""
    page = (_HERE / "report.html").read_text(encoding="utf-8")
    before, after = page.split("<!-- DATA -->")
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    after = after.replace("/* REPORT */", script)
    return [before.replace("/* PLOTLY */", get_plotlyjs()), after]


def _script_tag(name: str, data: Any) -> str:
    """Data as JSON that no browser takes for markup or runs."""
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/json" class="{html.escape(name)}">{text}</script>\n'


def _sentence_data(sentence: WeighedSentence) -> Dict[str, Any]:
    return {
        "texts": {name: [word.form for word in words] for name, words in sentence.texts.items()},
        "layers": [_layer_data(layer) for layer in sentence.layers],
    }


def _layer_data(layer: WeighedLayer) -> Dict[str, Any]:
    return {
        "module": layer.module,
        "call": layer.call,
        "layer": layer.layer,
        "direction": layer.direction,
        "ablation": layer.ablation,
        "text": layer.text,
        "count": layer.values.shape[-1],
        # Row by row, each pair [j, t] once: the matrix and its largest dimensions.
        "norms": _binary(layer.norms, "<f4"),
        "values": _binary(layer.values, "<f4"),
        "dimensions": _binary(layer.dimensions, "<u2"),
    }


def _binary(array: numpy.ndarray, dtype: str) -> str:
    """Numbers as base64, in an order of bytes that the page's typed arrays have."""
    return base64.b64encode(numpy.ascontiguousarray(array, dtype=dtype).tobytes()).decode()
