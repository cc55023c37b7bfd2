"""Name, version and requirements of allennlp-gated; tool settings live in pyproject.toml."""

from pathlib import Path
from typing import Dict

from setuptools import find_packages, setup

HERE = Path(__file__).parent
version: Dict[str, str] = {}
exec((HERE / "allennlp_gated" / "version.py").read_text(), version)

setup(
    name="allennlp-gated",
    version=version["VERSION"],
    packages=find_packages(include=["allennlp_gated", "allennlp_gated.*"]),
    install_requires=[
        "allennlp>=2.10.1",
        "allennlp-models>=2.10.1",
        "torch>=1.12",
        "spacy>=3.3",
        # On AllenNLP's own pins spaCy 3.3 is compiled against numpy 1 and fails to import on 2.
        "numpy<2; python_version < '3.11'",
        # allennlp-models imports pkg_resources, which setuptools 81 removed.
        "setuptools<81",
        "matplotlib>=3.5",
        "plotly>=5.10",
    ],
)
