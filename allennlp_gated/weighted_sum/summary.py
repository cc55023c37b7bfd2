"""Over a corpus, how long words of each kind are remembered: gathered, then told as a table."""

import csv
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from rich import box
from rich.console import Console
from rich.table import Table

from allennlp_gated.weighted_sum.lifetimes import HORIZON, Memory, Survival, remember
from allennlp_gated.weighted_sum.sentence import WeighedSentence, Word

ALL = "all words"
WORD_CLASS = "word class"
PART_OF_SPEECH = "part of speech"
ROLE = "role in the tree"
RELATION = "relation to the head"
FREQUENCY = "frequency decile"

# The closed and open classes of Universal Dependencies; punctuation and symbols are neither.
_CLOSED = frozenset({"ADP", "AUX", "CCONJ", "DET", "NUM", "PART", "PRON", "SCONJ"})
_OPEN = frozenset({"ADJ", "ADV", "INTJ", "NOUN", "PROPN", "VERB"})


class Row(NamedTuple):
    """
    One group of words in one direction of one layer. Lifetimes are in steps; a quantile is `None`
    where so many words never fell before their sentences ended, and a mean where none did.
    """

    encoder: str
    text: str
    layer: int
    direction: str
    by: str
    group: str
    words: int
    half_mean: Optional[float]
    half_quartile_1: Optional[int]
    half_median: Optional[int]
    half_quartile_3: Optional[int]
    half_cut_short: float
    tenth_mean: Optional[float]
    tenth_quartile_1: Optional[int]
    tenth_median: Optional[int]
    tenth_quartile_3: Optional[int]
    tenth_cut_short: float
    kept_inside: Optional[float]
    kept_over_end: Optional[float]


class _Group:
    """The memories of a group of words, counted."""

    def __init__(self) -> None:
        self.half = Survival()
        self.tenth = Survival()
        self.inside = _Mean()
        self.over_end = _Mean()

    def add(self, memory: Memory) -> None:
        self.half.add(memory.half)
        self.tenth.add(memory.tenth)
        # Compared with one another, so only where there are both.
        if memory.kept_inside is not None and memory.kept_over_end is not None:
            self.inside.add(memory.kept_inside)
            self.over_end.add(memory.kept_over_end)

    def merge(self, other: "_Group") -> None:
        self.half.merge(other.half)
        self.tenth.merge(other.tenth)
        self.inside.merge(other.inside)
        self.over_end.merge(other.over_end)


class _Mean:
    def __init__(self) -> None:
        self._total, self._count = 0.0, 0

    def add(self, value: float) -> None:
        self._total, self._count = self._total + value, self._count + 1

    def merge(self, other: "_Mean") -> None:
        self._total, self._count = self._total + other._total, self._count + other._count

    @property
    def value(self) -> Optional[float]:
        return self._total / self._count if self._count else None


class _Run(NamedTuple):
    """One direction of one layer of one encoder, over one text."""

    encoder: str
    text: str
    layer: int
    direction: str


class Summary:
    """
    Gathers sentence after sentence and keeps counts alone, so that a corpus may be of any size.

    # Parameters

    frequencies : `Optional[Dict[str, int]]`, optional (default = `None`)
        How often lower-cased words occur, for the deciles of frequency; `None` counts those of the
        sentences that are gathered.
    """

    def __init__(self, frequencies: Optional[Dict[str, int]] = None) -> None:
        self._frequencies = frequencies
        self._groups: Dict[_Run, Dict[Tuple[str, str], _Group]] = {}
        # By word, for the deciles: those can be told only when all words are known.
        self._words: Dict[_Run, Dict[str, _Group]] = {}

    def add(self, sentence: WeighedSentence) -> None:
        """Gather a sentence."""
        for layer in sentence.layers:
            words = sentence.texts[layer.text]
            run = _Run(layer.module, layer.text, layer.layer, layer.direction)
            groups = self._groups.setdefault(run, {})
            by_word = self._words.setdefault(run, {})
            heads = {word.head for word in words}
            for position, (word, memory) in enumerate(zip(words, remember(layer, words)), 1):
                for kind in _kinds(word, position in heads):
                    groups.setdefault(kind, _Group()).add(memory)
                by_word.setdefault(word.form.lower(), _Group()).add(memory)

    def rows(self) -> List[Row]:
        """
        # Returns

        `List[Row]`
            The groups of each direction of each layer, kind by kind; deciles from the rarest words
            to the most frequent, and otherwise larger groups first.
        """
        rows = []
        for run, groups in self._groups.items():
            for by in (ALL, WORD_CLASS, PART_OF_SPEECH, ROLE, RELATION):
                of_kind = [(name, group) for (kind, name), group in groups.items() if kind == by]
                of_kind.sort(key=lambda item: (-item[1].half.count, item[0]))
                rows += [_row(run, by, name, group) for name, group in of_kind]
            rows += [
                _row(run, FREQUENCY, name, group) for name, group in self._deciles(self._words[run])
            ]
        return rows

    def _deciles(self, by_word: Dict[str, _Group]) -> Iterator[Tuple[str, _Group]]:
        """Tenths of the running words, from the rarest to the most frequent; words stay whole."""
        counts = {word: group.half.count for word, group in by_word.items()}
        frequencies = counts if self._frequencies is None else self._frequencies
        total = sum(counts.values())
        deciles: Dict[int, _Group] = {}
        before = 0
        for word in sorted(counts, key=lambda word: (frequencies.get(word, 0), word)):
            decile = int(10 * (before + counts[word] / 2) / total) + 1
            deciles.setdefault(decile, _Group()).merge(by_word[word])
            before += counts[word]
        for decile, group in deciles.items():
            note = {1: " (rarest)", 10: " (most frequent)"}.get(decile, "")
            yield f"{decile}{note}", group


def write_csv(rows: Sequence[Row], path: Union[str, Path]) -> None:
    """
    # Parameters

    rows : `Sequence[Row]`
        The groups.
    path : `Union[str, Path]`
        Where to write them, a column for each field of `Row`.
    """
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in rows:
            writer.writerow(
                "" if value is None else round(value, 4) if isinstance(value, float) else value
                for value in row
            )


def write_text(rows: Sequence[Row], path: Union[str, Path]) -> None:
    """
    # Parameters

    rows : `Sequence[Row]`
        The groups.
    path : `Union[str, Path]`
        Where to write them as tables, one for each direction of each layer.
    """
    with open(path, "w", encoding="utf-8") as file:
        console = Console(file=file, width=150)
        console.print(
            "How long a word is remembered: steps until |w_j^t| has fallen to a half and to a "
            "tenth of |w_j^j|.\nMean (each word's steps counted up to "
            f"{HORIZON}) and quartiles are Kaplan-Meier estimates: where a sentence ended before "
            "a word's\nweight fell, it counts as remembered so far, and no further (cut: how many "
            "such). A quartile of '-' was never reached.\nkept inside / over end: what share of "
            "the weight a step within the word's constituent leaves, and the step past its end.",
            highlight=False,
        )
        for run in dict.fromkeys(_run_of(row) for row in rows):
            console.print(_table(run, [row for row in rows if _run_of(row) == run]))


def _table(run: _Run, rows: Sequence[Row]) -> Table:
    title = f"{run.encoder} on {run.text}, layer {run.layer}, {run.direction}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for column in ("by", "group"):
        table.add_column(column, no_wrap=True)
    numbers = ("words", "half: mean", "25%", "50%", "75%", "cut", "tenth: mean", "25%", "50%")
    for column in (*numbers, "75%", "cut", "kept inside", "over end"):
        table.add_column(column, justify="right")
    kind = None
    for row in rows:
        if kind not in (None, row.by):
            table.add_section()
        values = [
            _cell(name, value)
            for name, value in zip(Row._fields, row)
            if name not in _Run._fields and name != "by"
        ]
        table.add_row("" if row.by == kind else row.by, *values)
        kind = row.by
    return table


def _cell(name: str, value: Union[str, int, float, None]) -> str:
    if value is None:
        return "-"
    if name.endswith("cut_short"):
        return f"{value:.0%}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _run_of(row: Row) -> _Run:
    return _Run(row.encoder, row.text, row.layer, row.direction)


def _kinds(word: Word, is_head: bool) -> Iterator[Tuple[str, str]]:
    """The groups that a word belongs to, as far as is known."""
    yield ALL, "all"
    if word.pos is not None:
        yield PART_OF_SPEECH, word.pos
        if word.pos in _CLOSED:
            yield WORD_CLASS, "closed"
        elif word.pos in _OPEN:
            yield WORD_CLASS, "open"
    if word.head is not None:
        yield ROLE, "has dependents" if is_head else "has none"
    if word.relation is not None:
        yield RELATION, word.relation


def _row(run: _Run, by: str, name: str, group: _Group) -> Row:
    half, tenth = group.half, group.tenth
    return Row(
        *run,
        by=by,
        group=name,
        words=half.count,
        half_mean=half.mean(),
        half_quartile_1=half.quantile(0.25),
        half_median=half.quantile(0.5),
        half_quartile_3=half.quantile(0.75),
        half_cut_short=half.share_cut_short,
        tenth_mean=tenth.mean(),
        tenth_quartile_1=tenth.quantile(0.25),
        tenth_median=tenth.quantile(0.5),
        tenth_quartile_3=tenth.quantile(0.75),
        tenth_cut_short=tenth.share_cut_short,
        kept_inside=group.inside.value,
        kept_over_end=group.over_end.value,
    )
