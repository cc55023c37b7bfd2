"""Name, version and requirements of allennlp-gated; tool settings live in pyproject.toml."""

import platform
import sys
from pathlib import Path
from typing import Dict, List

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
README = HERE / "README.md"
version: Dict[str, str] = {}
exec((HERE / "allennlp_gated" / "version.py").read_text(), version)

# The kernels: one shared library with a plain C interface, which the package loads with ctypes, so
# that it depends neither on the version of Python nor on that of PyTorch.
KERNEL_SOURCES = Path("allennlp_gated") / "recurrence" / "csrc"
KERNEL_FLAGS = ["-std=c++14", "-O3", "-g0", "-fPIC", "-fvisibility=hidden", "-fno-math-errno"]
# Each instruction set is a compilation of its own; at run time the processor's best is chosen.
KERNEL_FLAGS_ON_X86: Dict[str, List[str]] = {
    "isa_avx2.cpp": ["-mavx2", "-mfma"],
    "isa_avx512.cpp": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma"],
}


class BuildKernels(build_ext):
    """Compiles each source with its own flags; without a compiler, the package works without."""

    def build_extension(self, ext: Extension) -> None:
        try:
            self._compile_and_link(ext)
        except Exception as error:  # Whatever it is, it must not fail the installation.
            print(
                f"warning: the compiled kernels were not built ({error}); the recurrences will "
                "take the slower PyTorch path",
                file=sys.stderr,
            )

    def _compile_and_link(self, ext: Extension) -> None:
        x86 = platform.machine().lower() in ("x86_64", "amd64")
        objects: List[str] = []
        for source in ext.sources:
            flags = KERNEL_FLAGS_ON_X86.get(Path(source).name, []) if x86 else []
            objects += self.compiler.compile(
                [source],
                output_dir=self.build_temp,
                extra_postargs=KERNEL_FLAGS + flags,
                depends=ext.depends,
            )
        self.compiler.link_shared_object(
            objects,
            self.get_ext_fullpath(ext.name),
            extra_postargs=["-pthread"],
            build_temp=self.build_temp,
            target_lang="c++",
        )


setup(
    name="allennlp-gated",
    version=version["VERSION"],
    description="The LSTM ablations of Levy et al. 2018 as AllenNLP encoders",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    packages=find_packages(include=["allennlp_gated", "allennlp_gated.*"]),
    include_package_data=False,  # The kernels' sources are for building alone.
    package_data={"": ["*.css", "*.html", "*.js", "*.txt"]},
    ext_modules=[
        Extension(
            "allennlp_gated.recurrence._kernels",
            sources=sorted(str(path) for path in KERNEL_SOURCES.glob("*.cpp")),
            depends=sorted(str(path) for path in KERNEL_SOURCES.glob("*.h")),
            optional=True,
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": BuildKernels},
    install_requires=[
        "allennlp>=2.10.1",
        "allennlp-models>=2.10.1",
        # Before Python 3.11 AllenNLP's own pins hold. They are repeated since pip tries the newest
        # release that we allow first, and would build spaCy's from source to learn that it clashes.
        "torch>=1.12,<1.13; python_version < '3.11'",
        "torch>=2.6; python_version >= '3.11'",
        "spacy>=3.3,<3.4; python_version < '3.11'",
        "spacy>=3.8,<4; python_version >= '3.11'",
        # This spaCy is compiled against numpy 1 and fails to import on 2.
        "numpy<2; python_version < '3.11'",
        # The botocore that AllenNLP's cached-path brings asks for this on these Pythons; pip meets
        # it last, and would first try some hundred releases of others.
        "urllib3<1.27; python_version < '3.10'",
        # On Python 3.8 the pydantic of that spaCy fails on a newer one, and a newer lmdb, which is
        # no longer made for it, at import.
        "typing-extensions<4.6; python_version < '3.9'",
        "lmdb<2; python_version < '3.9'",
        # allennlp-models imports pkg_resources, which setuptools 81 removed.
        "setuptools<81",
        "matplotlib>=3.5",
        "plotly>=5.10",
        # AllenNLP and its plugins bring these; they are imported here too.
        "conllu",
        "rich",
    ],
)
