import xml.etree.ElementTree

import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.image import imread

from allennlp_gated.weighted_sum.figure import draw_sentence, save_figure, windows_of
from allennlp_gated.weighted_sum.sentence import WeighedLayer, WeighedSentence, Word


def sentence_of(length, layers=1, directions=("forward", "backward"), words=None):
    random = numpy.random.RandomState(1)
    weighed = []
    for layer in range(layers):
        for direction in directions:
            norms = random.uniform(0.1, 2, (length, length))
            norms = numpy.triu(norms) if direction == "forward" else numpy.tril(norms)
            none = numpy.zeros((length, length, 0))
            weighed.append(
                WeighedLayer(
                    "encoder", 0, layer, direction, "full", "words", norms, none[0], none, none
                )
            )
    words = words or [f"word{place}" for place in range(length)]
    return WeighedSentence(1, {"words": [Word(word) for word in words]}, weighed)


def matrices(figure):
    return [axes for axes in figure.axes if axes.images]


class TestFigure:
    def test_shows_forward_above_the_diagonal_and_backward_below(self):
        sentence = sentence_of(6)
        forward, backward = (layer.norms for layer in sentence.layers)
        (axes,) = matrices(draw_sentence(sentence))
        shown = axes.images[0].get_array()
        above, below = numpy.triu_indices(6), numpy.tril_indices(6, -1)
        numpy.testing.assert_array_equal(shown[above], forward[above])
        numpy.testing.assert_array_equal(shown[below], backward[below])
        # The diagonal has both: a triangle each.
        (triangles,) = [one for one in axes.collections if isinstance(one, PolyCollection)]
        numpy.testing.assert_array_equal(triangles.get_array(), numpy.diag(backward))
        # Rows are context words, from above; columns are current words.
        assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["word0", "word1"]
        assert axes.get_ylim() == (5.5, -0.5)

    @pytest.mark.parametrize("direction", ["forward", "backward"])
    def test_leaves_the_other_side_of_one_direction_blank(self, direction):
        (axes,) = matrices(draw_sentence(sentence_of(5, directions=[direction])))
        shown = axes.images[0].get_array()
        blank = numpy.tri(5, k=-1, dtype=bool)
        numpy.testing.assert_array_equal(shown.mask, blank if direction == "forward" else blank.T)

    def test_is_darker_where_the_norm_is_larger(self):
        (axes,) = matrices(draw_sentence(sentence_of(5)))
        image = axes.images[0]
        assert isinstance(image.norm, Normalize)
        assert image.norm.vmin == 0
        values = numpy.linspace(0, image.norm.vmax, 20)
        brightness = image.cmap(image.norm(values))[:, :3].sum(1)
        assert (numpy.diff(brightness) < 0).all()

    @pytest.mark.parametrize("length", [1, 5, 20, 60])
    @pytest.mark.parametrize("layers", [1, 3])
    def test_can_be_read(self, length, layers):
        """Labels neither leave the picture nor run into one another, and are large enough."""
        words = [
            "counterrevolutionarily" if place % 7 == 3 else f"w{place}" for place in range(length)
        ]
        figure = draw_sentence(sentence_of(length, layers, words=words), "a model")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        page = figure.bbox
        assert len(matrices(figure)) == layers
        for axes in matrices(figure):
            rows = [label.get_window_extent(renderer) for label in axes.get_yticklabels()]
            columns = [label.get_window_extent(renderer) for label in axes.get_xticklabels()]
            assert len(rows) == len(columns) == length
            for box in rows + columns:
                assert page.x0 <= box.x0
                assert box.x1 <= page.x1
                assert page.y0 <= box.y0
                assert box.y1 <= page.y1
            for first, second in zip(rows, rows[1:]):
                assert first.y0 >= second.y0
                assert abs(first.y0 - second.y0) >= 0.14 * figure.dpi
            assert min(label.get_fontsize() for label in axes.get_yticklabels()) >= 6
        for text in figure.texts:
            assert text.get_window_extent(renderer).x1 <= page.x1

    def test_takes_words_as_they_are(self, tmp_path):
        words = ["$5", "<b>", "a&b", "x_1^2", "\\alpha"]
        png, svg = save_figure(draw_sentence(sentence_of(5, words=words)), tmp_path / "a")
        texts = ["".join(one.itertext()) for one in xml.etree.ElementTree.parse(svg).iter()]
        for word in words:
            assert word in texts
        assert imread(png).shape[0] > 100

    def test_is_the_same_each_time(self, tmp_path):
        first = save_figure(draw_sentence(sentence_of(4)), tmp_path / "a")
        second = save_figure(draw_sentence(sentence_of(4)), tmp_path / "b")
        for one, other in zip(first, second):
            assert one.read_bytes() == other.read_bytes()


class TestWindows:
    @pytest.mark.parametrize(
        ("length", "longest"), [(61, 60), (90, 60), (159, 60), (300, 61), (5, 2)]
    )
    def test_cover_every_pair_of_near_words(self, length, longest):
        windows = windows_of(length, longest)
        assert len(windows) > 1
        assert all(one.start >= 0 and one.stop - one.start == longest for one in windows)
        assert windows[-1].stop == length
        assert len(set(windows)) == len(windows)
        for j in range(length):
            for t in range(j, min(length, j + longest // 2 + 1)):
                assert any(one.start <= j and t < one.stop for one in windows), (j, t)

    def test_are_not_needed_for_what_fits(self):
        assert windows_of(60) == [(0, 60)]

    def test_show_their_words(self):
        sentence = sentence_of(8)
        (axes,) = matrices(draw_sentence(sentence, "m", windows_of(8, 4)[1]))
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels == ["word2", "word3", "word4", "word5"]
        shown = axes.images[0].get_array()
        assert shown[0, 3] == sentence.layers[0].norms[2, 5]
