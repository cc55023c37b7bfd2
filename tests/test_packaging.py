"""What is declared, what a distribution holds, and what importing the package does."""

import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import List, Set

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import allennlp_gated

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "allennlp_gated"


def requirement_lines(text: str) -> List[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def source_distribution(tmp_path_factory: pytest.TempPathFactory) -> tarfile.TarFile:
    """What `setup.py sdist` packs, made outside the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(folder)]
    command += ["sdist", "--dist-dir", str(folder / "dist")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = (folder / "dist").iterdir()
    return tarfile.open(archive)


def test_the_overrides_file_is_what_the_lock_is_made_with(settings: dict) -> None:
    shipped = requirement_lines((PACKAGE / "overrides.txt").read_text())
    assert shipped == settings["tool"]["uv"]["override-dependencies"]


def test_every_override_is_locked_to_a_version_that_it_allows() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {package["name"]: package.get("version") for package in lock["package"]}
    for line in requirement_lines((PACKAGE / "overrides.txt").read_text()):
        requirement = Requirement(line)
        assert Version(locked[requirement.name]) in requirement.specifier


def test_the_version_is_the_changelog_s_or_yet_to_be_released() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", allennlp_gated.__version__)


def test_the_plugins_file_names_the_package() -> None:
    assert (ROOT / ".allennlp_plugins").read_text().split() == [allennlp_gated.__name__]


def test_a_source_distribution_holds_what_building_and_testing_takes(
    source_distribution: tarfile.TarFile, settings: dict
) -> None:
    name = f"allennlp_gated-{allennlp_gated.__version__}"
    packed: Set[str] = {
        member.name.split("/", 1)[1] for member in source_distribution if member.isfile()
    }
    assert source_distribution.getnames()[0].replace("-", "_") == name.replace("-", "_")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    if not tracked:
        pytest.skip("not a git checkout")
    wanted = {file for file in tracked if (ROOT / file).exists() and file != ".gitignore"}
    assert wanted - packed == set()


def test_a_wheel_holds_the_modules_and_the_data_and_no_source_of_the_kernels(
    tmp_path: Path, source_distribution: tarfile.TarFile
) -> None:
    # `build_py` is the step that chooses the files of a wheel.
    source_distribution.extractall(tmp_path)
    (source,) = tmp_path.iterdir()
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path / "wheel")]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    built = {file.relative_to(tmp_path / "wheel") for file in (tmp_path / "wheel").rglob("*.*")}
    files = (file for file in PACKAGE.rglob("*.*") if file.is_file())
    left_out = {"csrc", "__pycache__"}
    assert built == {
        file.relative_to(ROOT)
        for file in files
        if left_out.isdisjoint(file.parts) and file.suffix != ".so"
    }


def test_importing_neither_warns_nor_loads_a_binary_nor_connects() -> None:
    program = """
import socket, sys, warnings

def refuse(*arguments, **keywords):
    raise AssertionError("importing opened a connection")

import allennlp.modules, allennlp.training
socket.socket.connect = refuse
warnings.filterwarnings("error", module="allennlp_gated")
from allennlp.common.util import import_module_and_submodules
import_module_and_submodules("allennlp_gated")  # what --include-package does
loaded = [line.split()[-1] for line in open("/proc/self/maps") if "allennlp_gated" in line]
assert not loaded, loaded
"""
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc to list what a process has loaded")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
