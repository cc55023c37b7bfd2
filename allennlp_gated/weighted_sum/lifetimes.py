"""How long words are remembered: steps until |w_j^t| falls to a share of |w_j^j|."""

from collections import Counter
from typing import Counter as CounterType
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy

from allennlp_gated.weighted_sum.recorder import FORWARD
from allennlp_gated.weighted_sum.sentence import WeighedLayer, Word

# The mean counts steps up to here, so that it is the same quantity for all groups of words.
HORIZON = 30


class Lifetime(NamedTuple):
    """
    # Parameters

    steps : `int`
        After how many steps the weight had fallen, or, if it never did, how many steps there were.
    fell : `bool`
        Whether it fell before the sentence ended: if not, the word may live on.
    """

    steps: int
    fell: bool


class Memory(NamedTuple):
    """
    What became of one word in one direction of one layer.

    # Parameters

    half : `Lifetime`
        Until its weight fell to a half.
    tenth : `Lifetime`
        Until its weight fell to a tenth.
    kept_inside : `Optional[float]`
        What share of the weight each step to the end of its constituent left, as a geometric mean;
        `None` where there is no such step, or the tree is not known.
    kept_over_end : `Optional[float]`
        What share the first step past that end left.
    """

    half: Lifetime
    tenth: Lifetime
    kept_inside: Optional[float]
    kept_over_end: Optional[float]


def remember(layer: WeighedLayer, words: Sequence[Word]) -> List[Memory]:
    """
    # Parameters

    layer : `WeighedLayer`
        The weights of a layer.
    words : `Sequence[Word]`
        The words that it read.

    # Returns

    `List[Memory]`
        What became of each word. In a backward direction the end of a constituent is its first
        word.
    """
    forward = layer.direction == FORWARD
    ends = constituent_ends(words, forward)
    memories = []
    for position in range(len(words)):
        row = layer.norms[position]
        # shape: (steps,), from the word itself onwards
        course = (row[position:] if forward else row[position::-1]).astype(float)
        inside = over_end = None
        end = ends[position]
        if end is not None:
            distance = abs(end - position)
            if distance > 0 and course[0] > 0:
                inside = float((course[distance] / course[0]) ** (1 / distance))
                if distance + 1 < len(course) and course[distance] > 0:
                    over_end = float(course[distance + 1] / course[distance])
        memories.append(Memory(_lifetime(course, 0.5), _lifetime(course, 0.1), inside, over_end))
    return memories


def constituent_ends(words: Sequence[Word], forward: bool) -> List[Optional[int]]:
    """
    # Parameters

    words : `Sequence[Word]`
        Words that know their heads, or do not.
    forward : `bool`
        Whether to take the last word of a constituent for its end, and not the first.

    # Returns

    `List[Optional[int]]`
        For each word the end of its constituent: of what it heads, if it heads anything, and
        otherwise of what its head heads. `None` where that is not known.
    """
    heads = [None if word.head is None else word.head - 1 for word in words]
    ends = list(range(len(words)))
    furthest = max if forward else min
    for position in range(len(words)):
        above, seen = heads[position], {position}
        while above is not None and above >= 0 and above not in seen:
            ends[above] = furthest(ends[above], position)
            seen.add(above)
            above = heads[above]
    is_head = {head for head in heads if head is not None and head >= 0}
    result: List[Optional[int]] = []
    for position, head in enumerate(heads):
        if position in is_head:
            result.append(ends[position])
        elif head is not None and head >= 0:
            result.append(ends[head])
        else:
            result.append(None)
    return result


def _lifetime(course: numpy.ndarray, share: float) -> Lifetime:
    fallen = numpy.flatnonzero(course <= share * course[0])
    # A word that never weighed anything is forgotten at once.
    if len(fallen):
        return Lifetime(int(fallen[0]), True)
    return Lifetime(len(course) - 1, False)


class Survival:
    """
    The lifetimes of a group of words, counted. Those that the sentence's end cut short are not
    thrown away, and not taken for full ones either: quantiles and mean are those of the
    Kaplan-Meier estimate of how many words still weigh enough after each step.
    """

    def __init__(self) -> None:
        self._counts: CounterType[Lifetime] = Counter()

    def add(self, lifetime: Lifetime) -> None:
        """Count one more word."""
        self._counts[lifetime] += 1

    def merge(self, other: "Survival") -> None:
        """Count all words of another group."""
        self._counts.update(other._counts)

    @property
    def count(self) -> int:
        """How many words were counted."""
        return sum(self._counts.values())

    @property
    def share_cut_short(self) -> float:
        """The share of words whose sentence ended before their weight fell."""
        cut = sum(count for lifetime, count in self._counts.items() if not lifetime.fell)
        return cut / self.count if self.count else 0.0

    def curve(self) -> Iterator[Tuple[int, float]]:
        """The steps after which words fell, and the share of words that still lived after each."""
        at_risk = self.count
        alive = 1.0
        by_steps: Dict[int, List[int]] = {}
        for lifetime, count in self._counts.items():
            by_steps.setdefault(lifetime.steps, [0, 0])[lifetime.fell] += count
        for steps in sorted(by_steps):
            cut_short, fell = by_steps[steps]
            if fell:
                alive *= 1 - fell / at_risk
                yield steps, alive
            at_risk -= cut_short + fell

    def quantile(self, share: float) -> Optional[int]:
        """
        # Parameters

        share : `float`
            E.g. 0.5 for the median.

        # Returns

        `Optional[int]`
            After how many steps that share of words had fallen; `None` if so many never did.
        """
        # A share that rounding leaves a hair above is met.
        return next((steps for steps, alive in self.curve() if alive <= 1 - share + 1e-12), None)

    def mean(self, horizon: int = HORIZON) -> Optional[float]:
        """
        The mean number of steps, each word's counted up to `horizon`; `None` if no word fell. Words
        that outlived all that could be watched count up to there (Efron's correction), lest a few
        of them make the mean.
        """
        if not any(lifetime.fell for lifetime in self._counts):
            return None
        end = min(horizon, max(lifetime.steps for lifetime in self._counts))
        total, alive, before = 0.0, 1.0, 0
        for steps, alive_after in self.curve():
            if steps >= end:
                break
            total += alive * (steps - before)
            alive, before = alive_after, steps
        return total + alive * (end - before)
