from pathlib import Path
from typing import Any, List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DataLoader, DatasetReader, Vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_gated.language_model import TokenStreamDataLoader, TokenStreamReader
from tests.language_model.common import new_loader, open_vocabulary, words, write_text

TEXT = ["the cat sees <unk>", "", "  a dog sees the cat ", "naïve dogs see"]


def read_lines(reader: TokenStreamReader, path: str) -> List[List[str]]:
    sources: List[Any] = [instance["source"] for instance in reader.read(path)]
    return [[token.text for token in source.tokens] for source in sources]


def test_reader_closes_every_line(tmp_path: Path) -> None:
    path = write_text(tmp_path, TEXT)
    assert read_lines(TokenStreamReader(), path) == [
        ["the", "cat", "sees", "<unk>", "<eos>"],
        ["<eos>"],
        ["a", "dog", "sees", "the", "cat", "<eos>"],
        ["naïve", "dogs", "see", "<eos>"],
    ]


def test_last_line_may_end_without_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a b\nc")
    reader = TokenStreamReader(end_token="</s>")
    assert read_lines(reader, str(path)) == [["a", "b", "</s>"], ["c", "</s>"]]


@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=12),
    batch_size=st.integers(1, 6),
    steps=st.integers(1, 6),
    single_row=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_each_word_is_predicted_once_from_the_word_before(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: List[int],
    batch_size: int,
    steps: int,
    single_row: bool,
) -> None:
    # Each word but <eos> is another one, and the first line is long enough for one batch.
    lengths = [batch_size * steps, *lengths]
    names = iter(f"w{i}" for i in range(sum(lengths)))
    text = [" ".join(next(names) for _ in range(length)) for length in lengths]
    text.append("<unk>")
    path = write_text(tmp_path_factory.mktemp("stream"), text)
    loader, vocab = new_loader(path, batch_size=batch_size, steps=steps, single_row=single_row)

    batches = list(loader)
    assert len(batches) == len(loader)
    assert [batch["starts_stream"] for batch in batches] == [True] + [False] * (len(loader) - 1)
    rows = 1 if single_row else batch_size
    for batch in batches:
        assert batch["mask"].shape[0] == rows
        assert batch["targets"].shape == batch["mask"].shape
        assert batch["source"]["tokens"]["tokens"].shape == batch["mask"].shape
    for batch in batches[:-1]:
        assert batch["mask"].shape[1] == (batch_size * steps if single_row else steps)
        assert batch["mask"].all()

    def of_row(name: str, row: int) -> List[str]:
        found = []
        for batch in batches:
            ids = batch["source"]["tokens"]["tokens"] if name == "source" else batch[name]
            found += ids[row][batch["mask"][row]].tolist()
        return [vocab.get_token_from_index(one) for one in found]

    stream = words(text)
    targets = [of_row("targets", row) for row in range(rows)]
    assert [word for row in targets for word in row] == stream
    assert max(map(len, targets)) - min(map(len, targets)) <= 1
    sources = [word for row in range(rows) for word in of_row("source", row)]
    assert sources == ["<eos>", *stream[:-1]]


def test_epochs_are_alike(tmp_path: Path) -> None:
    loader, _ = new_loader(write_text(tmp_path, TEXT), batch_size=2, steps=3)
    for one, other in zip(loader, loader):
        assert torch.equal(one["targets"], other["targets"])


def test_unknown_words_of_another_text_become_unk(tmp_path: Path) -> None:
    _, vocab = new_loader(write_text(tmp_path, TEXT), batch_size=1, steps=1)
    other = write_text(tmp_path, ["the zebra sees"], "other.txt")
    loader = TokenStreamDataLoader(TokenStreamReader(), other, batch_size=1, steps=4)
    loader.index_with(vocab)
    (batch,) = loader
    predicted = [vocab.get_token_from_index(int(one)) for one in batch["targets"][0]]
    assert predicted == ["the", "<unk>", "sees", "<eos>"]


def test_a_config_builds_both(tmp_path: Path) -> None:
    reader = DatasetReader.from_params(Params({"type": "token_stream"}))
    params = Params({"type": "token_stream", "batch_size": 2, "steps": 3, "single_row": True})
    loader = DataLoader.from_params(params, reader=reader, data_path=write_text(tmp_path, TEXT))
    assert isinstance(loader, TokenStreamDataLoader)
    assert len(list(loader.iter_instances())) == len(TEXT)


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_a_text_without_words_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"empty\.txt: there are no words"):
        TokenStreamDataLoader(TokenStreamReader(), str(path), batch_size=1, steps=1)


def test_a_text_shorter_than_a_batch_is_an_error(tmp_path: Path) -> None:
    path = write_text(tmp_path, ["a b c d"])
    assert len(new_loader(write_text(tmp_path, ["a <unk> c d"]), batch_size=5, steps=1)[0]) == 1
    with pytest.raises(
        ConfigurationError, match=r"5 tokens, fewer than batch_size \* steps = 2 \* 3"
    ):
        TokenStreamDataLoader(TokenStreamReader(), path, batch_size=2, steps=3)


def test_a_vocabulary_without_unk_is_an_error(tmp_path: Path) -> None:
    path = write_text(tmp_path, ["a b c"])
    loader = TokenStreamDataLoader(TokenStreamReader(), path, batch_size=1, steps=2)
    for vocab in (open_vocabulary(loader), Vocabulary.from_instances(loader.iter_instances())):
        with pytest.raises(ConfigurationError, match=r"vocabulary: .*'tokens' has no '<unk>'"):
            loader.index_with(vocab)


def test_a_second_unknown_word_is_an_error(tmp_path: Path) -> None:
    path = write_text(tmp_path, TEXT)
    loader = TokenStreamDataLoader(TokenStreamReader(), path, batch_size=1, steps=2)
    with pytest.raises(ConfigurationError, match=r"vocabulary\.oov_token: must be '<unk>'"):
        loader.index_with(Vocabulary.from_instances(loader.iter_instances()))


@pytest.mark.parametrize("name", ["batch_size", "steps"])
@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_a_size_that_is_none_is_an_error(tmp_path: Path, name: str, size: float) -> None:
    sizes = {"batch_size": 1, "steps": 1, name: size}
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        TokenStreamDataLoader(TokenStreamReader(), write_text(tmp_path, TEXT), **sizes)  # type: ignore


def test_iteration_before_indexing_is_an_error(tmp_path: Path) -> None:
    path = write_text(tmp_path, TEXT)
    loader = TokenStreamDataLoader(TokenStreamReader(), path, batch_size=1, steps=1)
    with pytest.raises(ConfigurationError, match="index_with"):
        next(iter(loader))
