import json
import os
import re
import sys

import numpy
import pytest
from allennlp.commands import main
from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor

from allennlp_gated.ablation import ABLATIONS
from tests.weighted_sum.conftest import first_trees
from tests.weighted_sum.tiny_models import (
    SENTENCES,
    classifier_config,
    language_model_config,
    parser_config,
    write_archive,
    write_lines,
)


@Predictor.register("asks_for_source")
class AsksForSource(Predictor):
    def _json_to_instance(self, json_dict):
        return self._dataset_reader.text_to_instance(json_dict["source"])


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    configs = {
        "lm": language_model_config("lstm_full"),
        "lm_stock": language_model_config("lstm"),
        "lm_no_gates": language_model_config("lstm_no_gates"),
        "parser": parser_config("stacked_bidirectional_lstm_no_srnn_no_out"),
        "classifier": classifier_config("lstm_no_srnn_no_hidden"),
    }
    return {name: write_archive(config, folder / name) for name, config in configs.items()}


@pytest.fixture
def weigh(monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["allennlp", "weigh", *map(str, arguments)])
        main(prog="allennlp")

    return run


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestWeigh:
    def test_writes_norms_figures_and_a_report(self, archives, weigh, tmp_path):
        path = write_lines(
            tmp_path / "in.txt", [SENTENCES[0], "", json.dumps({"sentence": SENTENCES[1]})]
        )
        out = tmp_path / "new" / "out"
        weigh(archives["lm"], path, "-o", out, "--largest", 2)
        lines = lines_of(out / "weights.jsonl")
        assert [one["texts"]["source"] for one in lines] == [
            ["<S>", *sentence.split(), "</S>"] for sentence in SENTENCES
        ]
        for line in lines:
            assert [(one["layer"], one["direction"]) for one in line["layers"]] == [
                (0, "forward"),
                (1, "forward"),
            ]
            for layer in line["layers"]:
                norms = numpy.array(layer["norms"])
                length = len(line["texts"]["source"])
                assert norms.shape == (length, length)
                assert (norms[numpy.triu_indices(length)] > 0).all()
                assert (norms[numpy.tril_indices(length, -1)] == 0).all()
                assert layer["ablation"] == "full"
                assert len(layer["initial_state"]) == length
        figures = sorted(one.name for one in (out / "figures").iterdir())
        assert figures == ["0001.png", "0001.svg", "0002.png", "0002.svg"]
        report = (out / "report.html").read_text(encoding="utf-8")
        assert report.count('class="sentence">') == 2

    def test_is_the_same_for_a_stock_encoder_and_what_it_converts_to(
        self, archives, weigh, tmp_path
    ):
        path = write_lines(tmp_path / "in.txt", SENTENCES)
        weigh(archives["lm_stock"], path, "-o", tmp_path / "out", "--no-figures")
        for line in lines_of(tmp_path / "out" / "weights.jsonl"):
            assert {one["ablation"] for one in line["layers"]} == {"full"}
            assert len(line["layers"]) == 2

    def test_reads_trees_with_the_dataset_reader(self, archives, weigh, tmp_path):
        path = first_trees(2, tmp_path / "in.conllu")
        options = ["--use-dataset-reader", "--no-figures", "--report-sentences", 0]
        weigh(archives["parser"], path, "-o", tmp_path / "out", "--batch-size", 2, *options)
        batched = lines_of(tmp_path / "out" / "weights.jsonl")
        weigh(archives["parser"], path, "-o", tmp_path / "out", *options)
        for one, other in zip(batched, lines_of(tmp_path / "out" / "weights.jsonl")):
            assert one["texts"] == other["texts"]
            for first, second in zip(one["layers"], other["layers"]):
                numpy.testing.assert_allclose(first["norms"], second["norms"], rtol=1e-4)
        assert not (tmp_path / "out" / "report.html").exists()

    def test_weighs_what_is_asked_for(self, archives, weigh, tmp_path):
        path = first_trees(2, tmp_path / "in.conllu")
        weigh(
            *(archives["parser"], path, "-o", tmp_path / "out", "--use-dataset-reader"),
            *("--layer", 1, "--direction", "backward", "--no-figures"),
        )
        for line in lines_of(tmp_path / "out" / "weights.jsonl"):
            (layer,) = line["layers"]
            assert (layer["layer"], layer["direction"]) == (1, "backward")

    def test_compares_two_archives(self, archives, weigh, tmp_path):
        path = write_lines(tmp_path / "in.txt", SENTENCES[:1])
        out = tmp_path / "out"
        weigh(archives["lm"], path, "-o", out, "--compare", archives["lm_stock"])
        (line,), (other,) = (
            lines_of(out / name) for name in ("weights.jsonl", "weights.compare.jsonl")
        )
        assert line["texts"] == other["texts"]
        assert line["layers"] != other["layers"]
        assert (out / "figures" / "0001.compare.svg").exists()
        assert '["lm", "lm_stock"]' in (out / "report.html").read_text(encoding="utf-8")

    def test_uses_the_models_own_predictor(self, archives, weigh, tmp_path):
        path = write_lines(tmp_path / "in.txt", SENTENCES)
        options = ["--no-figures", "--predictor", "text_classifier", "--batch-size", 2]
        weigh(archives["classifier"], path, "-o", tmp_path / "out", *options)
        for line in lines_of(tmp_path / "out" / "weights.jsonl"):
            assert {one["direction"] for one in line["layers"]} == {"forward", "backward"}

    def test_learns_what_a_predictor_calls_a_sentence(self, archives, weigh, tmp_path):
        path = write_lines(tmp_path / "in.txt", SENTENCES)
        options = ["--no-figures", "--predictor", "asks_for_source"]
        weigh(archives["lm"], path, "-o", tmp_path / "out", *options)
        assert len(lines_of(tmp_path / "out" / "weights.jsonl")) == 2
        path = write_lines(tmp_path / "in.jsonl", ['{"sentence": "a b"}'])
        with pytest.raises(ConfigurationError, match="line 1: AsksForSource asks for 'source'"):
            weigh(archives["lm"], path, "-o", tmp_path / "out", *options)

    def test_can_be_run_again(self, archives, weigh, tmp_path):
        out = tmp_path / "out"
        two = write_lines(tmp_path / "two.txt", SENTENCES)
        one = write_lines(tmp_path / "one.txt", SENTENCES[:1])
        weigh(archives["lm"], one, "-o", out)
        first = {file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()}
        (out / "figures" / "mine.png").write_text("not ours")
        weigh(archives["lm"], two, "-o", out)
        assert len(lines_of(out / "weights.jsonl")) == 2
        weigh(archives["lm"], one, "-o", out)
        (out / "figures" / "mine.png").unlink()
        again = {file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()}
        assert again == first

    def test_writes_each_sentence_as_it_comes(self, archives, weigh, tmp_path):
        """What was weighed before an error is on disk."""
        path = write_lines(tmp_path / "in.txt", [*SENTENCES, '{"sentence": ""}'])
        with pytest.raises(ConfigurationError, match="line 3: 'sentence' is empty"):
            weigh(archives["lm"], path, "-o", tmp_path / "out", "--no-figures")
        assert len(lines_of(tmp_path / "out" / "weights.jsonl")) == 2
        assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["weights.jsonl"]

    def test_draws_long_sentences_in_windows(self, archives, weigh, tmp_path, caplog):
        words = SENTENCES[1].split()
        path = write_lines(tmp_path / "in.txt", [" ".join(words)])
        weigh(
            *(archives["lm"], path, "-o", tmp_path / "out", "--figure-words", 8),
            *("--report-sentences", 0),
        )
        figures = sorted(one.name for one in (tmp_path / "out" / "figures").glob("*.png"))
        assert figures == [
            "0001.words_001-008.png",
            "0001.words_005-012.png",
            "0001.words_007-014.png",
        ]
        assert "sentence 1 is too long for one readable figure of 8 words" in caplog.text

    def test_says_when_the_report_is_full(self, archives, weigh, tmp_path, caplog):
        path = write_lines(tmp_path / "in.txt", SENTENCES)
        weigh(
            *(archives["lm"], path, "-o", tmp_path / "out", "--no-figures"),
            *("--report-sentences", 1),
        )
        assert "the report holds the first 1 sentences alone" in caplog.text
        report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert report.count('class="sentence">') == 1
        assert len(lines_of(tmp_path / "out" / "weights.jsonl")) == 2


class TestSummary:
    def test_of_a_parser_knows_the_tree(self, archives, weigh, tmp_path, capsys):
        path = first_trees(5, tmp_path / "in.conllu")
        weigh(
            *("--summary", archives["parser"], path, "-o", tmp_path / "out"),
            *("--use-dataset-reader", "--layer", 0),
        )
        printed = capsys.readouterr().out.split()
        written = sorted(str(one) for one in (tmp_path / "out").iterdir())
        assert sorted(printed) == written
        assert [re.sub(".*/", "", one) for one in written] == [
            "summary.csv",
            "summary.png",
            "summary.svg",
            "summary.txt",
        ]
        text = (tmp_path / "out" / "summary.txt").read_text()
        for word in ("NOUN", "DET", "nsubj", "frequency decile", "backward"):
            assert word in text

    def test_of_a_language_model_knows_the_tree_of_conllu(self, archives, weigh, tmp_path):
        path = first_trees(5, tmp_path / "in.conllu")
        frequencies = write_lines(tmp_path / "text.txt", SENTENCES)
        weigh(
            *("--summary", archives["lm"], path, "-o", tmp_path / "out"),
            *("--frequencies", frequencies),
        )
        rows = (tmp_path / "out" / "summary.csv").read_text().splitlines()
        nouns = [row for row in rows if ",part of speech,NOUN," in row]
        assert len(nouns) == 2
        expected = sum("\tNOUN\t" in line for line in path.read_text().splitlines())
        assert int(nouns[0].split(",")[6]) == expected > 0


class TestBadInput:
    def test_without_a_memory_cell(self, archives, weigh, tmp_path):
        path = write_lines(tmp_path / "in.txt", SENTENCES)
        (key,) = [key for key, row in ABLATIONS.items() if not row.has_memory_cell]
        with pytest.raises(ConfigurationError, match=f"no recurrent encoder with a memory.*{key}"):
            weigh(archives["lm_no_gates"], path, "-o", tmp_path / "out")

    def test_into_a_folder_that_cannot_be_written(self, archives, weigh, tmp_path):
        path = write_lines(tmp_path / "in.txt", SENTENCES)
        with pytest.raises(ConfigurationError, match=r"output-dir: .* cannot be written"):
            weigh(archives["lm"], path, "-o", path / "below_a_file")
        with pytest.raises(ConfigurationError, match=r"output-dir: .* cannot be written"):
            weigh(archives["lm"], path, "-o", os.devnull)

    def test_without_sentences(self, archives, weigh, tmp_path):
        path = write_lines(tmp_path / "in.txt", ["", " "])
        with pytest.raises(ConfigurationError, match="holds no sentences"):
            weigh(archives["lm"], path, "-o", tmp_path / "out")

    def test_that_the_model_cannot_read(self, archives, weigh, tmp_path):
        path = write_lines(tmp_path / "in.txt", ['{"passage": "a b"}'])
        with pytest.raises(ConfigurationError, match=r"line 1: .*no predictor of its own"):
            weigh(archives["lm"], path, "-o", tmp_path / "out")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--batch-size", 0], "batch-size: must be at least 1"),
            (["--figure-words", 1], "figure-words: must be at least 2"),
            (["--layer", -1], "layer: must be counted from 0"),
            (["--layer", 5], r"among the layers \[5\]"),
            (["--frequencies", "x"], "frequencies: is for --summary alone"),
            (["--summary", "--compare", "x"], "compare: a summary is of one archive"),
        ],
    )
    def test_among_the_options(self, archives, weigh, tmp_path, options, message):
        path = write_lines(tmp_path / "in.txt", SENTENCES)
        with pytest.raises(ConfigurationError, match=message):
            weigh(archives["lm"], path, "-o", tmp_path / "out", *options)
