import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allennlp_gated.weighted_sum.lifetimes import (
    Lifetime,
    Survival,
    constituent_ends,
    remember,
)
from allennlp_gated.weighted_sum.sentence import WeighedLayer, Word
from allennlp_gated.weighted_sum.summary import Summary, WeighedSentence, write_csv, write_text
from allennlp_gated.weighted_sum.summary_figure import draw_summary

# "the old dog of the house sleeps now": a tree, and each word's weights as they fall.
WORDS = [
    Word("the", "DET", "det", 3),
    Word("old", "ADJ", "amod", 3),
    Word("dog", "NOUN", "nsubj", 7),
    Word("of", "ADP", "case", 6),
    Word("the", "DET", "det", 6),
    Word("house", "NOUN", "nmod", 3),
    Word("sleeps", "VERB", "root", 0),
    Word("now", "ADV", "advmod", 7),
]


def layer_of(norms, direction="forward"):
    length = len(norms)
    return WeighedLayer(
        "encoder",
        0,
        0,
        direction,
        "full",
        "words",
        numpy.array(norms),
        numpy.zeros(length),
        numpy.zeros((length, length, 0)),
        numpy.zeros((length, length, 0), int),
    )


def falling(length, factor, forward=True):
    steps = numpy.arange(length)
    distance = steps[None, :] - steps[:, None]
    distance = distance if forward else -distance
    return numpy.where(distance >= 0, 3 * factor ** distance.clip(0).astype(float), 0)


class TestRemember:
    @pytest.mark.parametrize("direction", ["forward", "backward"])
    def test_counts_steps_to_a_half_and_to_a_tenth(self, direction):
        forward = direction == "forward"
        memories = remember(layer_of(falling(8, 0.7, forward), direction), WORDS)
        # 0.7^2 = 0.49 and 0.7^7 = 0.082
        order = memories if forward else memories[::-1]
        assert order[0].half == Lifetime(2, True)
        assert order[0].tenth == Lifetime(7, True)
        assert order[1].tenth == Lifetime(6, False)
        assert order[7].half == Lifetime(0, False)

    def test_counts_a_weight_of_exactly_a_half(self):
        memories = remember(layer_of(falling(8, 0.5)), WORDS)
        assert memories[0].half == Lifetime(1, True)

    def test_looks_at_the_end_of_the_constituent(self):
        norms = falling(8, 0.9)
        norms[:, 6:] *= 0.5  # everything is half forgotten when "house" has been read
        memories = remember(layer_of(norms), WORDS)
        # "dog" heads "the old dog of the house"; "of" belongs to "of the house".
        for position in (0, 1, 2, 3, 4):
            assert memories[position].kept_inside == pytest.approx(0.9)
            assert memories[position].kept_over_end == pytest.approx(0.45)
        # "house" ends its own constituent, and the sentence ends the verb's.
        assert memories[5].kept_inside is None
        assert memories[6].kept_over_end is None

    def test_ends_of_constituents(self):
        assert constituent_ends(WORDS, forward=True) == [5, 5, 5, 5, 5, 5, 7, 7]
        assert constituent_ends(WORDS, forward=False) == [0, 0, 0, 3, 3, 3, 0, 0]
        unknown = [Word("a"), Word("b")]
        assert constituent_ends(unknown, forward=True) == [None, None]
        # A cycle is no tree, but ends.
        cycle = [Word("a", head=2), Word("b", head=1)]
        assert constituent_ends(cycle, forward=True) == [1, 1]


class TestSurvival:
    @given(st.lists(st.integers(1, 20), min_size=1, max_size=30))
    def test_without_cuts_is_counting(self, steps):
        survival = Survival()
        for one in steps:
            survival.add(Lifetime(one, True))
        assert survival.count == len(steps)
        assert survival.share_cut_short == 0
        assert survival.mean() == pytest.approx(numpy.mean(steps))
        for share in (0.25, 0.5, 0.75):
            expected = numpy.quantile(steps, share, method="inverted_cdf")
            assert survival.quantile(share) == expected

    def test_with_cuts_is_kaplan_and_meier(self):
        """Their textbook steps: at each fall, the share of those still watched who fall."""
        survival = Survival()
        for lifetime in [(1, True), (2, False), (3, True), (3, True), (4, False), (6, True)]:
            survival.add(Lifetime(*lifetime))
        curve = dict(survival.curve())
        assert curve == pytest.approx({1: 5 / 6, 3: 5 / 6 * 2 / 4, 6: 0.0})
        assert survival.quantile(0.5) == 3
        assert survival.mean() == pytest.approx(1 + 2 * 5 / 6 + 3 * 5 / 12)
        assert survival.share_cut_short == pytest.approx(2 / 6)

    def test_of_words_that_never_fall(self):
        survival = Survival()
        survival.add(Lifetime(4, False))
        assert survival.quantile(0.5) is None
        assert survival.mean() is None
        assert survival.share_cut_short == 1

    def test_mean_ends_where_nobody_was_watched_any_more(self):
        survival = Survival()
        for lifetime in [(1, True), (2, True), (3, False)]:
            survival.add(Lifetime(*lifetime))
        assert survival.mean() == pytest.approx((1 + 2 + 3) / 3)

    def test_mean_counts_up_to_the_horizon(self):
        survival = Survival()
        for steps in (2, 50):
            survival.add(Lifetime(steps, True))
        assert survival.mean(horizon=10) == pytest.approx((2 + 10) / 2)


class TestSummary:
    def summary(self, frequencies=None):
        summary = Summary(frequencies)
        for number in range(1, 31):
            norms = falling(8, 0.3 if number % 2 else 0.6)
            summary.add(WeighedSentence(number, {"words": WORDS}, [layer_of(norms)]))
        return summary

    def test_groups_words(self):
        rows = {(row.by, row.group): row for row in self.summary().rows()}
        assert rows["all words", "all"].words == 240
        assert rows["part of speech", "DET"].words == 60
        assert rows["word class", "closed"].words == 90  # the, of, the
        assert rows["word class", "open"].words == 150
        assert rows["relation to the head", "case"].words == 30
        assert rows["role in the tree", "has dependents"].words == 90  # dog, house, sleeps
        first = rows["relation to the head", "amod"]
        # 0.3 falls below a half in one step and below a tenth in two; 0.6 in two and in five.
        assert (first.half_quartile_1, first.half_quartile_3) == (1, 2)
        assert first.half_mean == pytest.approx(1.5)
        assert (first.tenth_quartile_1, first.tenth_quartile_3) == (2, 5)
        assert first.kept_inside == pytest.approx(0.45)
        deciles = [row for key, row in rows.items() if key[0] == "frequency decile"]
        assert sum(row.words for row in deciles) == 240
        # "the" is a quarter of all words and the most frequent: it stays whole.
        assert deciles[-1].words == 60

    def test_takes_frequencies_from_elsewhere(self):
        counts = {word.form: 10 for word in WORDS}
        counts["now"] = 1000
        rows = [row for row in self.summary(counts).rows() if row.by == "frequency decile"]
        assert rows[-1].words == 30
        assert rows[-1].half_mean is None  # the last word is cut short by the sentence's end

    def test_is_written_as_text_csv_and_figure(self, tmp_path):
        rows = self.summary().rows()
        write_csv(rows, tmp_path / "summary.csv")
        write_text(rows, tmp_path / "summary.txt")
        lines = (tmp_path / "summary.csv").read_text().splitlines()
        assert len(lines) == len(rows) + 1
        assert lines[1].startswith("encoder,words,0,forward,all words,all,240,")
        text = (tmp_path / "summary.txt").read_text()
        assert "encoder on words, layer 0, forward" in text
        for row in rows:
            assert row.group in text
        figure = draw_summary(rows, "a model")
        labels = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
        assert "DET (60)" in labels
