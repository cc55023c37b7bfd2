"""The picture of a summary: how long words of each kind are remembered."""

from typing import Dict, List, Sequence, Tuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from allennlp_gated.weighted_sum.lifetimes import HORIZON
from allennlp_gated.weighted_sum.summary import ALL, Row

# Smaller groups are in the tables; in the picture they would be noise.
_FEWEST = 20
_MOST_GROUPS = 24
_ROW = 0.2
_COLUMN = 3.2
_LABELS = 2.2
_HALF, _TENTH = "#08519c", "#e6550d"


def draw_summary(rows: Sequence[Row], name: str = "") -> Figure:
    """
    # Parameters

    rows : `Sequence[Row]`
        The groups of a `Summary`.
    name : `str`, optional (default = `""`)
        What to call the model.

    # Returns

    `Figure`
        A column for each direction of each layer, a row for each kind of group. Dots are medians,
        ticks are means, lines run from the first to the third quartile; a line with an arrow goes
        on past the longest lifetime that was seen. Groups of fewer than 20 words are left out.
    """
    columns: Dict[Tuple[str, ...], List[Row]] = {}
    for row in rows:
        columns.setdefault((row.encoder, row.text, str(row.layer), row.direction), []).append(row)
    first = next(iter(columns.values()))
    groups = _shown_groups(first)
    heights = [len(names) * _ROW + 0.45 for names in groups.values()]
    width = _LABELS + _COLUMN * len(columns)
    height = sum(heights) + 1.1
    figure = Figure(figsize=(width, height))
    limit = _limit(rows)
    for place, (run, of_run) in enumerate(columns.items()):
        by_name = {(row.by, row.group): row for row in of_run}
        top = 0.65
        for (by, names), row_height in zip(groups.items(), heights):
            axes = figure.add_axes(
                (
                    (_LABELS + place * _COLUMN + 0.1) / width,
                    1 - (top + row_height - 0.1) / height,
                    (_COLUMN - 0.3) / width,
                    (row_height - 0.4) / height,
                )
            )
            _draw_groups(axes, [by_name.get((by, group)) for group in names], limit)
            labels = (
                [f"{group} ({by_name[by, group].words})" for group in names] if not place else []
            )
            axes.set_yticks(range(len(names)), labels=labels or [""] * len(names), fontsize=7)
            axes.set_title(by, fontsize=8, loc="left", pad=3)
            top += row_height
        encoder, text, layer, direction = run
        figure.text(
            (_LABELS + place * _COLUMN + 0.1) / width,
            1 - 0.45 / height,
            f"{encoder} on {text}\nlayer {layer}, {direction}",
            fontsize=8,
            va="center",
        )
        axes.set_xlabel("steps", fontsize=8)
    title = "steps until a weight falls to a half (blue), a tenth (orange); dot: median, tick: mean"
    figure.text(
        0.1 / width,
        1 - 0.12 / height,
        f"{name}: {title}" if name else title,
        fontsize=9,
        va="center",
    )
    return figure


def _shown_groups(rows: Sequence[Row]) -> Dict[str, List[str]]:
    groups: Dict[str, List[str]] = {}
    for row in rows:
        names = groups.setdefault(row.by, [])
        if len(names) < _MOST_GROUPS and (row.words >= _FEWEST or row.by == ALL):
            names.append(row.group)
    return {by: names for by, names in groups.items() if names}


def _limit(rows: Sequence[Row]) -> float:
    seen = [row.tenth_quartile_3 or row.tenth_median or 0 for row in rows if row.words >= _FEWEST]
    return min(HORIZON, max(seen, default=0) + 1) or HORIZON


def _draw_groups(axes: Axes, rows: Sequence[object], limit: float) -> None:
    for place, row in enumerate(rows):
        if not isinstance(row, Row):
            continue
        half = (row.half_quartile_1, row.half_median, row.half_quartile_3)
        tenth = (row.tenth_quartile_1, row.tenth_median, row.tenth_quartile_3)
        for shift, color, (low, median, high), mean in (
            (-0.15, _HALF, half, row.half_mean),
            (0.15, _TENTH, tenth, row.tenth_mean),
        ):
            start = limit if low is None else low
            stop = limit if high is None else high
            axes.plot([start, stop], [place + shift] * 2, color=color, linewidth=1.5)
            if high is None:
                axes.plot([limit], [place + shift], ">", color=color, markersize=3, clip_on=False)
            if median is not None:
                axes.plot([median], [place + shift], "o", color=color, markersize=3.5)
            if mean is not None and mean <= limit:
                axes.plot([mean], [place + shift], "|", color=color, markersize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, limit)
    axes.tick_params(labelsize=7, length=2)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
