"""
Pictures of the weights, as Table 4 of Levy et al. 2018: rows are context words j, columns are
current words t, and the darker a cell, the larger the L2 norm of w_j^t.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from allennlp_gated.weighted_sum.recorder import FORWARD
from allennlp_gated.weighted_sum.sentence import WeighedLayer, WeighedSentence

# More words than this cannot be read in one picture: a longer sentence gets several.
LONGEST_FIGURE = 60

_COLORS = "Blues"
_LONGEST_WORD = 18
# Inches.
_HEADING = 0.3
_CAPTION = 0.25
_BAR = 0.75
_WIDEST = 22.0
# Width of a letter in parts of the font's size, generously.
_LETTER = 0.66


class Window(NamedTuple):
    """The words `start` to `stop` (exclusive, from 0) of a sentence."""

    start: int
    stop: int


class Panel(NamedTuple):
    """One matrix of a figure: one or both directions of one run of one layer."""

    title: str
    words: List[str]
    layers: Dict[str, WeighedLayer]


def windows_of(length: int, longest: int = LONGEST_FIGURE) -> List[Window]:
    """
    # Parameters

    length : `int`
        Words of a sentence.
    longest : `int`, optional (default = `60`)
        Words that a picture may have.

    # Returns

    `List[Window]`
        The whole sentence if it fits. Otherwise windows of `longest` words along the diagonal, each
        overlapping the one before by at least half, so that every pair of words less than half a
        window apart is in a picture.
    """
    if length <= longest:
        return [Window(0, length)]
    starts = list(range(0, length - longest, max(1, longest // 2)))
    return [Window(start, start + longest) for start in [*starts, length - longest]]


def draw_sentence(
    sentence: WeighedSentence, name: str = "", window: Optional[Window] = None
) -> Figure:
    """
    # Parameters

    sentence : `WeighedSentence`
        What to draw: one matrix for each layer of each run of each encoder. A bidirectional
        encoder's forward direction is above the diagonal and its backward one below; cells of the
        diagonal show both, each on its own side.
    name : `str`, optional (default = `""`)
        What to call the model.
    window : `Optional[Window]`, optional (default = `None`)
        Which of the words to draw; `None` means all. A text that ends before it is left out.

    # Returns

    `Figure`
        A figure of matplotlib's, that belongs to no window system.
    """
    rows = [[_cut(panel, window) for panel in row] for row in _panels(sentence)]
    rows = [[panel for panel in row if panel.words] for row in rows]
    rows = [row for row in rows if row]
    label = max(_label_size(panel) for row in rows for panel in row)
    if any(sum(_width(panel, label) for panel in row) > _WIDEST for row in rows):
        rows = [[panel] for row in rows for panel in row]

    sizes = [[_size(panel) for panel in row] for row in rows]
    width = max(sum(_width(panel, label) for panel in row) for row in rows) + _BAR
    width = max(width, len(_caption(sentence)) * 7 * _LETTER / 72)
    heights = [max(row) + label + _HEADING for row in sizes]
    heading = _HEADING if name or window else 0.0
    height = heading + sum(heights) + _CAPTION
    figure = Figure(figsize=(width, height))

    def add_axes(left: float, top: float, across: float, down: float) -> Axes:
        return figure.add_axes(
            (left / width, 1 - (top + down) / height, across / width, down / height)
        )

    norm = Normalize(0, max(_largest_norm(panel) for row in rows for panel in row) or 1.0)
    top = heading
    for row, row_sizes, row_height in zip(rows, sizes, heights):
        left = 0.0
        for panel, size in zip(row, row_sizes):
            _write(figure, panel.title, left + 0.1, top + 0.08, size=9)
            _draw_panel(add_axes(left + label, top + _HEADING + label, size, size), panel, norm)
            left += _width(panel, label)
        top += row_height
    if heading:
        part = f"words {window.start + 1}-{window.stop}" if window else ""
        title = ", ".join(one for one in (name, part) if one)
        _write(figure, title, 0.1, 0.08, size=10, weight="bold")
    _write(figure, _caption(sentence), 0.1, height - _CAPTION + 0.06, size=7, color="0.35")

    bar = add_axes(
        sum(_width(panel, label) for panel in rows[0]) + 0.1,
        heading + _HEADING + label,
        0.12,
        min(sizes[0][0], 2.2),
    )
    figure.colorbar(ScalarMappable(norm, _COLORS), cax=bar)
    bar.tick_params(labelsize=7)
    bar.set_title(r"$\|w_j^t\|_2$", fontsize=8)
    return figure


def save_figure(figure: Figure, path: Union[str, Path]) -> List[Path]:
    """
    # Parameters

    figure : `Figure`
        A figure.
    path : `Union[str, Path]`
        Where to save it, without an ending.

    # Returns

    `List[Path]`
        The PNG and the SVG. The same figure gives the same bytes.
    """
    saved = []
    for ending, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        file = Path(f"{path}.{ending}")
        with rc_context({"svg.hashsalt": "allennlp-gated", "svg.fonttype": "none"}):
            figure.savefig(file, dpi=150, metadata=metadata)
        saved.append(file)
    return saved


def _panels(sentence: WeighedSentence) -> List[List[Panel]]:
    """A row of panels for each run of each encoder, a panel for each of its layers."""
    runs: Dict[Tuple[str, int], Dict[int, Dict[str, WeighedLayer]]] = {}
    for one in sentence.layers:
        run = runs.setdefault((one.module, one.call), {})
        run.setdefault(one.layer, {})[one.direction] = one
    rows = []
    for (module, _), layers in runs.items():
        row = []
        for layer, directions in layers.items():
            any_direction = next(iter(directions.values()))
            text = f" on {any_direction.text}" if len(sentence.texts) > 1 else ""
            title = f"{module}{text}, layer {layer}: {' / '.join(directions)}"
            words = [word.form for word in sentence.texts[any_direction.text]]
            row.append(Panel(title, words, directions))
        rows.append(row)
    return rows


def _cut(panel: Panel, window: Optional[Window]) -> Panel:
    if window is None:
        return panel
    part = slice(window.start, window.stop)
    layers = {
        direction: layer._replace(norms=layer.norms[part, part])
        for direction, layer in panel.layers.items()
    }
    return Panel(panel.title, panel.words[part], layers)


def _largest_norm(panel: Panel) -> float:
    return max(float(layer.norms.max()) for layer in panel.layers.values())


def _caption(sentence: WeighedSentence) -> str:
    directions = {layer.direction for layer in sentence.layers}
    caption = "rows: context word j; columns: current word t"
    if len(directions) > 1:
        caption += "; above the diagonal forward, below it backward"
    return caption


def _size(panel: Panel) -> float:
    """The matrix, in inches: large cells for a few words, none too small for its label."""
    length = len(panel.words)
    return length * float(numpy.interp(length, [5, 20, LONGEST_FIGURE], [0.45, 0.27, 0.16]))


def _font_size(panel: Panel) -> float:
    return float(numpy.interp(len(panel.words), [5, 20, LONGEST_FIGURE], [10, 9, 6.5]))


def _label_size(panel: Panel) -> float:
    """Room for the longest word, in inches."""
    longest = max(min(len(word), _LONGEST_WORD) for word in panel.words)
    return longest * _font_size(panel) * _LETTER / 72 + 0.15


def _width(panel: Panel, label: float) -> float:
    """A panel with its labels, title and margin, in inches."""
    return max(label + _size(panel), len(panel.title) * 9 * _LETTER / 72) + 0.15


def _write(figure: Figure, text: str, left: float, top: float, **style: Any) -> None:
    width, height = figure.get_size_inches()
    figure.text(left / width, 1 - top / height, _plain(text), va="top", **style)


def _draw_panel(axes: Axes, panel: Panel, norm: Normalize) -> None:
    length = len(panel.words)
    # Each direction is zero on the other's side, save on the diagonal.
    first, *others = panel.layers.values()
    matrix = numpy.array(first.norms, dtype=float)
    if others:
        matrix = numpy.maximum(matrix, others[0].norms)
        matrix[numpy.arange(length), numpy.arange(length)] = numpy.diag(first.norms)
    is_shown = numpy.tri(length, dtype=bool)
    if not others:
        is_shown = is_shown.T if first.direction == FORWARD else is_shown
        matrix = numpy.ma.masked_where(~is_shown, matrix)
    axes.imshow(matrix, cmap=_COLORS, norm=norm, interpolation="nearest", aspect="equal")
    if others:
        _split_diagonal(axes, panel.layers, norm)

    font_size = _font_size(panel)
    labels = [_label(word) for word in panel.words]
    axes.set_xticks(range(length), labels=labels, rotation=90, fontsize=font_size)
    axes.set_yticks(range(length), labels=labels, fontsize=font_size)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2)
    # Lines between the cells: as a grid, which needs a tick each, they take ten times as long.
    edges = numpy.arange(length + 1) - 0.5
    axes.hlines(edges, -0.5, length - 0.5, color="white", linewidth=0.6)
    axes.vlines(edges, -0.5, length - 0.5, color="white", linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _split_diagonal(axes: Axes, layers: Dict[str, WeighedLayer], norm: Normalize) -> None:
    """Over each cell of the diagonal a triangle for the backward direction, on its side."""
    backward = next(one for name, one in layers.items() if name != FORWARD)
    values = numpy.diag(backward.norms)
    corners = [
        [(i - 0.5, i - 0.5), (i - 0.5, i + 0.5), (i + 0.5, i + 0.5)] for i in range(len(values))
    ]
    triangles = PolyCollection(corners, cmap=_COLORS, norm=norm, linewidths=0)
    triangles.set_array(values)
    axes.add_collection(triangles)


def _label(word: str) -> str:
    return _plain(word if len(word) <= _LONGEST_WORD else word[: _LONGEST_WORD - 1] + "…")


def _plain(text: str) -> str:
    """Text that matplotlib takes as it is: a dollar would begin a formula."""
    return text.replace("$", r"\$")
