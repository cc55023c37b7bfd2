"""The numbers in the README are those of the results."""

from pathlib import Path

import pytest

from benchmarks import tables

README = Path(__file__).parent.parent / "README.md"


def test_the_tables_of_layers_are_those_of_the_results(capsys: pytest.CaptureFixture) -> None:
    tables.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    shown = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 15
    for line in lines:
        assert line in shown
