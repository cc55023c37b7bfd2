"""What the tests of all shipped configs need: AllenNLP's plugins, and the paths in the configs."""

import pytest
from allennlp.common.plugins import import_plugins

from .common import ROOT


@pytest.fixture(scope="module", autouse=True)
def _stock_plugins() -> None:
    import_plugins()


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
