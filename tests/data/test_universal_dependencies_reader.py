"""The stock reader on what current treebanks hold."""

from pathlib import Path
from typing import Any

import pytest
from allennlp.data import DatasetReader
from allennlp_models.structured_prediction import UniversalDependenciesDatasetReader

from tests.fixtures.conllu import AWKWARD_CONLLU


def read(path: Path, **options: bool) -> Any:
    reader: DatasetReader = UniversalDependenciesDatasetReader(**options)
    (instance,) = reader.read(str(path))
    return instance


@pytest.mark.parametrize(
    "specific, tags", [(False, "PRON AUX PART VERB PUNCT"), (True, "PRP VBZ RB VB ,")]
)
def test_passes_over_ranges_and_empty_nodes(tmp_path: Path, specific: bool, tags: str) -> None:
    path = tmp_path / "awkward.conllu"
    path.write_text(AWKWARD_CONLLU, encoding="utf-8")
    instance = read(path, use_language_specific_pos=specific)
    words = [token.text for token in instance["words"]]
    assert words == ["She", "does", "n't", "sing", ",", "and", "Tom", "songs", "."]
    assert instance["pos_tags"].labels[:5] == tags.split()
    assert list(instance["head_indices"].labels) == [4, 4, 4, 0, 7, 7, 4, 7, 4]
    assert instance["head_tags"].labels[-2:] == ["orphan", "punct"]


def test_reads_a_sentence_of_159_words(tmp_path: Path) -> None:
    lines = ["1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_"]
    lines += [f"{n}\ton\ton\tADP\tRP\t_\t{n - 1}\tcompound:prt\t_\t_" for n in range(2, 160)]
    path = tmp_path / "long.conllu"
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    assert list(read(path)["head_indices"].labels) == list(range(159))
