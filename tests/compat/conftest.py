"""Small treebanks that the tests of this folder train on."""

from pathlib import Path
from typing import Tuple

import pytest
from allennlp.common.plugins import import_plugins

from tests.compat.parser import write_treebank


@pytest.fixture(scope="session")
def stock_plugins() -> None:
    """AllenNLP's own plugins, as the command line has them: the parser is in one of these."""
    import_plugins()


@pytest.fixture(scope="session")
def treebanks(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, Path]:
    """A train part of 24 sentences and a dev part of 8."""
    folder = tmp_path_factory.mktemp("treebanks")
    train, dev = folder / "train.conllu", folder / "dev.conllu"
    write_treebank(train, [3, 5, 7, 4, 6, 2, 8, 1] * 3, seed=1)
    write_treebank(dev, [4, 6, 3, 5, 2, 7, 1, 8], seed=2)
    return train, dev
