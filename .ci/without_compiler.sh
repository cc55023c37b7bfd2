#!/usr/bin/env bash
# Install where there is no C++ compiler, and run every ablation there, forward and backward, on the
# path in plain PyTorch: .ci/without_compiler.sh <empty or new folder>
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1/source"
git -C "$root" archive HEAD | tar -x -C "$1/source"
CC=/bin/false CXX=/bin/false uv pip install --quiet --no-deps --target "$1/target" "$1/source"

cd "$1"
PYTHONPATH=$1/target "$root/.venv/bin/python" -W ignore - "$1/target" <<'PYTHON'
import logging
import sys
import warnings
from pathlib import Path

import torch

import allennlp_gated
from allennlp_gated.recurrence.backends import available_backends

assert Path(sys.argv[1]) in Path(allennlp_gated.__file__).parents, allennlp_gated.__file__
said = []
logging.getLogger("allennlp_gated").addHandler(logging.Handler())
logging.Handler.handle = lambda self, record: said.append(record.getMessage())
warnings.showwarning = lambda message, *_: said.append(str(message))
warnings.simplefilter("always")
for key in allennlp_gated.ABLATIONS:
    lstm = allennlp_gated.AblatedLstm(key, 3, 4)
    lstm(torch.randn(2, 5, 3))[0].sum().backward()
assert available_backends() == ["reference", "torch"], available_backends()
said = [one for one in said if "kernels" in one]
assert len(said) == 1, said
print(said[0])
PYTHON
