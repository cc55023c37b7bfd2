"""The report in a real browser: a headless Chromium, where there is one."""

import re
import shutil
from pathlib import Path

import numpy
import pytest

from allennlp_gated.weighted_sum.report import Report
from allennlp_gated.weighted_sum.sentence import WeighedSentence
from tests.weighted_sum.test_figure import sentence_of

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1800,1400",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver_path = shutil.which("chromedriver")
    if chromium is None or driver_path is None:
        pytest.skip("no chromium and chromedriver on this machine: the report goes untested")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"]:
        options.add_argument(flag)
    # Whatever the page logs, and every request that it makes.
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver_path)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, weighed):
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get((weighed.folder / "report.html").as_uri())
    wait_for_plots(browser)
    return browser


def wait_for_plots(browser, count=2):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(
        lambda one: len(one.find_elements("css selector", ".plot .hm")) == count
    )


def choose(browser, identifier, value):
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("id", identifier)).select_by_value(value)


def options_of(browser, identifier):
    from selenium.webdriver.support.ui import Select

    return [
        one.get_attribute("value") for one in Select(browser.find_element("id", identifier)).options
    ]


def hover(browser, side, j, t):
    """Move the mouse onto a cell, and read what the page then says."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    plot = browser.find_element("id", f"plot-{side}")
    browser.execute_script("arguments[0].scrollIntoView()", plot)
    x, y = browser.execute_script(
        "const l = arguments[0]._fullLayout, b = arguments[0].getBoundingClientRect();"
        "return [l.xaxis._offset + l.xaxis.l2p(arguments[2]) - b.width / 2,"
        " l.yaxis._offset + l.yaxis.l2p(arguments[1]) - b.height / 2];",
        plot,
        j,
        t,
    )
    ActionChains(browser).move_to_element(plot).perform()
    ActionChains(browser).move_to_element_with_offset(plot, round(x), round(y)).perform()
    label = f"(j={j + 1})"

    def text(_):
        shown = plot.find_elements("css selector", ".hoverlayer .hovertext")
        return (
            shown and label in shown[0].text and f"(t={t + 1})" in shown[0].text and shown[0].text
        )

    return WebDriverWait(browser, 20).until(text)


def layers_of(line, layer):
    return {one["direction"]: one for one in line["layers"] if one["layer"] == layer}


class TestReport:
    def test_loads_without_an_error_and_without_a_network(self, page):
        assert [one for one in page.get_log("browser") if one["level"] != "DEBUG"] == []
        messages = str([one["message"] for one in page.get_log("performance")])
        asked = set(re.findall(r'"url":"([^"]*)"', messages))
        assert page.current_url in asked
        assert [url for url in asked if url.startswith(("http", "ws"))] == []
        assert page.find_element("css selector", ".panel h2").text == "no_srnn"

    def test_says_what_a_cell_is(self, page, weighed):
        line = weighed.lines[0]
        words = line["texts"]["words"]
        norms = layers_of(line, 0)["forward"]["norms"]
        text = hover(page, 0, 1, 4)
        assert f"context {words[1]} (j=2), current {words[4]} (t=5)" in text
        (norm,) = re.findall(r"forward: \|w.*?\| = ([\d.e-]+)", text)
        assert float(norm) == pytest.approx(norms[1][4], rel=1e-3)
        (share,) = re.findall(r"\(([\d.e-]+)% of", text)
        assert float(share) == pytest.approx(100 * norms[1][4] / norms[1][1], rel=1e-2)
        largest = re.findall(r"(\d+): ([\d.]+)", text.split("largest dimensions")[1])
        assert len(largest) == 3
        values = [float(value) for _, value in largest]
        assert values == sorted(values, reverse=True)
        assert 0 < numpy.linalg.norm(values) <= norms[1][4] * 1.001
        assert all(0 <= int(dimension) < 6 for dimension, _ in largest)
        # Below the diagonal it is the backward direction's.
        text = hover(page, 0, 4, 1)
        (norm,) = re.findall(r"backward: \|w.*?\| = ([\d.e-]+)", text)
        expected = layers_of(line, 0)["backward"]["norms"][4][1]
        assert float(norm) == pytest.approx(expected, rel=1e-3)
        # On the diagonal there are both.
        text = hover(page, 0, 3, 3)
        assert "forward" in text
        assert "backward" in text

    def test_lets_sentence_layer_and_direction_be_chosen(self, page, weighed):
        assert options_of(page, "sentence") == ["0", "1", "2"]
        assert options_of(page, "layer-0") == ["0", "1"]
        assert options_of(page, "direction-0") == ["both", "forward", "backward"]
        choose(page, "sentence", "1")
        choose(page, "layer-0", "1")
        choose(page, "direction-0", "backward")
        line = weighed.lines[1]
        text = hover(page, 0, 5, 2)
        assert line["texts"]["words"][5] in text
        (norm,) = re.findall(r"backward: \|w.*?\| = ([\d.e-]+)", text)
        expected = layers_of(line, 1)["backward"]["norms"][5][2]
        assert float(norm) == pytest.approx(expected, rel=1e-3)
        page.find_element("id", "next").click()
        assert page.find_element("id", "sentence").get_attribute("value") == "2"
        assert not page.find_element("id", "next").is_enabled()
        # The choice stays with the next sentence.
        assert page.find_element("id", "direction-0").get_attribute("value") == "backward"

    def test_shows_two_models_side_by_side(self, page, weighed):
        headings = [one.text for one in page.find_elements("css selector", ".panel h2")]
        assert headings == ["no_srnn", "stock"]
        left, right = page.find_elements("css selector", ".panel")
        assert left.rect["y"] == right.rect["y"]
        assert left.rect["x"] + left.rect["width"] <= right.rect["x"]
        line = weighed.compared[0]
        # The alternating encoder's first layer runs forward and its second backward.
        assert options_of(page, "direction-1") == ["forward"]
        text = hover(page, 1, 1, 2)
        (norm,) = re.findall(r"forward: \|w.*?\| = ([\d.e-]+)", text)
        expected = layers_of(line, 0)["forward"]["norms"][1][2]
        assert float(norm) == pytest.approx(expected, rel=1e-3)
        # A choice on one side is made on the other too.
        choose(page, "layer-0", "1")
        assert page.find_element("id", "layer-1").get_attribute("value") == "1"
        assert options_of(page, "direction-1") == ["backward"]
        page.find_element("id", "link").click()
        choose(page, "layer-0", "0")
        assert page.find_element("id", "layer-1").get_attribute("value") == "1"
        # One scale for both, or one each.
        scales = "return [0, 1].map((n) => document.getElementById('plot-' + n).data[0].zmax)"
        assert len(set(page.execute_script(scales))) == 1
        page.find_element("id", "scale").click()
        assert len(set(page.execute_script(scales))) == 2

    def test_takes_words_as_they_are(self, browser, tmp_path):
        words = ["</script>", "<b>x</b>", "a&amp;b", "$5", "“naïve”"]
        sentence = sentence_of(5, words=words)
        random = numpy.random.RandomState(0).uniform(size=(5, 5, 1))
        layers = [
            one._replace(values=random, dimensions=numpy.zeros((5, 5, 1), int))
            for one in sentence.layers
        ]
        path = tmp_path / "words.html"
        with Report(path, ["<i>model</i>"]) as report:
            report.add([WeighedSentence(1, sentence.texts, layers)])
        browser.get_log("browser")
        browser.get(path.as_uri())
        wait_for_plots(browser, 1)
        assert browser.find_element("css selector", ".panel h2").text == "<i>model</i>"
        text = hover(browser, 0, 0, 1)
        assert "context </script> (j=1), current <b>x</b> (t=2)" in text
        labels = [one.text for one in browser.find_elements("css selector", ".ytick text")]
        assert labels == words
        assert not browser.find_element("id", "link").is_displayed()
        assert [one for one in browser.get_log("browser") if one["level"] != "DEBUG"] == []


class TestUnfinishedReport:
    def test_leaves_the_last_one_in_place(self, tmp_path):
        path = tmp_path / "report.html"
        path.write_text("the last one")

        def fail():
            with Report(path, ["model"]) as report:
                report.add([sentence_of(3)])
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert path.read_text() == "the last one"
        assert list(tmp_path.iterdir()) == [path]

    def test_is_one_file_that_asks_for_no_other(self, tmp_path):
        path = tmp_path / "report.html"
        with Report(path, ["model"]) as report:
            report.add([sentence_of(3)])
        page = Path(path).read_text(encoding="utf-8")
        outside_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
        assert not re.search(r"(src|href)=[\"'](?!data:)", outside_scripts)
        assert not re.search(r"<script[^>]*src=", page)
