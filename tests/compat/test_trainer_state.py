"""What a checkpoint may hold."""

import io
import pickle
import zipfile
from typing import Any

import numpy
import pytest
import torch
from packaging.version import Version

from allennlp_gated.compat.trainer_state import SCALARS


def saved(value: Any) -> io.BytesIO:
    file = io.BytesIO()
    torch.save({"state": value}, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", SCALARS)
def test_a_numpy_scalar_is_loaded(kind: type) -> None:
    value = torch.load(saved(kind(1)))["state"]
    assert value == 1
    assert type(value) is kind


def test_a_numpy_scalar_that_numpy_1_wrote_is_loaded() -> None:
    # Numpy 2 moved the function that a pickled scalar names: write its old name into the file.
    old = io.BytesIO()
    with zipfile.ZipFile(saved(numpy.float64(0.5))) as new, zipfile.ZipFile(old, "w") as rewritten:
        for entry in new.infolist():
            content = new.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
                assert b"numpy.core.multiarray" in content
            rewritten.writestr(entry.filename, content)
    old.seek(0)
    assert torch.load(old)["state"] == 0.5


class NotData:
    """A class that a checkpoint has no business to hold."""


@pytest.mark.skipif(
    Version(torch.__version__) < Version("2.6"), reason="before 2.6, PyTorch loads anything"
)
def test_the_check_stays_on_for_everything_else() -> None:
    with pytest.raises(pickle.UnpicklingError, match="NotData"):
        torch.load(saved(NotData()))
