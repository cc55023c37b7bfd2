"""The binary: built or not, broken or not, loaded late, and in forked processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import native, reference, run_layer, workspace
from tests.recurrence.common import flat, gradients, make_case, threads

ROOT = Path(__file__).parent.parent.parent
SOURCES = ROOT / "allennlp_gated" / "recurrence" / "csrc"
needs_sources = pytest.mark.skipif(
    not SOURCES.exists(), reason="the package is installed and its sources are not beside the tests"
)
PARSER = {"total_steps": 30, "batch_size": 8, "input_size": 50, "hidden_size": 40}


@needs_sources
def test_the_structs_have_the_size_that_c_gives_them() -> None:
    import ctypes

    # All fields are 8 bytes wide, so nothing can be padded.
    pointers = 19
    assert ctypes.sizeof(native.DirectionStruct) == 8 * (1 + pointers)
    header = (SOURCES / "gated.h").read_text()
    for name, *_ in [*native.DirectionStruct._fields_, *native.LayerStruct._fields_]:
        assert name in header
    assert f"#define GATED_ABI {native.ABI}\n" in header


def test_import_does_not_load_the_binary() -> None:
    code = (
        "import allennlp_gated\n"
        "from allennlp_gated.recurrence import native\n"
        "assert native._loaded is None\n"
        "import os\n"
        "maps = '/proc/self/maps'\n"
        "assert not os.path.exists(maps) or '_kernels' not in open(maps).read()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=ROOT, timeout=300)


@pytest.mark.parametrize(
    "content", [None, b"", b"not a library"], ids=["missing", "empty", "broken"]
)
def test_falls_back_and_says_so_once(content, tmp_path, monkeypatch, caplog) -> None:
    path = tmp_path / "_kernels.so"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(native, "binary", lambda: None if content is None else path)
    monkeypatch.setattr(native, "_loaded", None)
    case = make_case(ABLATIONS["no_srnn"])
    with caplog.at_level("INFO", native.logger.name):
        for _ in range(2):
            results = flat(run_layer(*case))
    for one, other in zip(results, flat(reference.run_layer(*case))):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)
    (record,) = [record for record in caplog.records if record.name == native.logger.name]
    assert "slower PyTorch path" in record.getMessage()
    assert record.levelname == "WARNING"


def _build(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    for name in ("setup.py", "README.md", "LICENSE", "pyproject.toml"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    (folder / "allennlp_gated").mkdir()
    shutil.copy(ROOT / "allennlp_gated" / "version.py", folder / "allennlp_gated")
    for package in ("", "recurrence"):
        (folder / "allennlp_gated" / package / "").mkdir(exist_ok=True)
        (folder / "allennlp_gated" / package / "__init__.py").touch()
    shutil.copytree(
        SOURCES,
        folder / "allennlp_gated" / "recurrence" / "csrc",
    )
    return subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


@needs_sources
def test_without_a_compiler_the_build_succeeds(tmp_path) -> None:
    false = shutil.which("false")
    result = _build(tmp_path, CC=false, CXX=false)
    assert result.returncode == 0, result.stdout
    assert "the compiled kernels were not built" in result.stdout
    assert not list(tmp_path.glob("allennlp_gated/recurrence/_kernels*"))


needs_kernels = pytest.mark.skipif(native.load()[0] is None, reason=native.load()[1])


@needs_kernels
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_can_compute() -> None:
    case = make_case(ABLATIONS["full"], reverse=(False, True), **PARSER)
    with threads(2):
        expected = flat(run_layer(*case))
        gradients(case, expected)  # starts the pool, and autograd's threads
        child = os.fork()
        if child == 0:
            # Own threads take the place of the parent's pool, which did not survive the fork. What
            # torch itself computes would wait for that pool, so one thread must do for it.
            same = False
            try:
                results = flat(run_layer(*case))
                torch.set_num_threads(1)
                same = all(torch.equal(one, other) for one, other in zip(results, expected))
            finally:
                os._exit(0 if same else 1)
        _, status = os.waitpid(child, 0)
    assert status == 0


@needs_kernels
def test_threads_do_not_change_the_outputs() -> None:
    case = make_case(ABLATIONS["full"], reverse=(False, True), dtype=torch.float32, **PARSER)
    found = []
    for count in (1, 2, 3):
        with threads(count):
            found.append(run_layer(*case)[0])
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@needs_kernels
def test_buffers_are_used_again_and_bounded(monkeypatch) -> None:
    monkeypatch.setattr(workspace, "_pool", workspace._Pool())
    case = make_case(ABLATIONS["full"], **PARSER)
    for _ in range(3):
        gradients(case, flat(run_layer(*case)))
    count, size = workspace.idle()
    for _ in range(3):
        gradients(case, flat(run_layer(*case)))
    assert (count, size) == workspace.idle() and size > 0
    workspace.clear()
    assert workspace.idle() == (0, 0)
    expected = flat(run_layer(*case))
    for one, other in zip(expected, flat(run_layer(*case))):
        assert torch.equal(one, other)
    monkeypatch.setattr(workspace, "MAX_IDLE_BYTES", 0)
    workspace.Buffer(10)
    assert workspace.idle() == (0, 0)
