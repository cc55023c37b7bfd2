"""The numbers in the READMEs are those of the results."""

from pathlib import Path

import pytest

from benchmarks import tables

ROOT = Path(__file__).parent.parent
READMES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")


def test_the_tables_of_layers_are_those_of_the_results(capsys: pytest.CaptureFixture) -> None:
    tables.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    shown = [line for one in READMES for line in one.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 36
    for line in lines:
        assert line in shown
