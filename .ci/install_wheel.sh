#!/usr/bin/env bash
# Build the wheel, install it into an empty environment outside the checkout with the overrides that
# it ships, and train there: .ci/install_wheel.sh <empty or new folder>
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
cd "$1"

uv build --quiet --wheel --out-dir dist "$root"
wheel=$(ls dist/allennlp_gated-*.whl)
python3 -m zipfile -e "$wheel" unpacked
cp unpacked/allennlp_gated/overrides.txt .
uv venv --quiet environment
# No configuration file of uv's is in reach here: the overrides come from that file alone.
uv pip install --quiet --python environment --overrides overrides.txt "$wheel"

# A project of somebody's own: configs and data, and no source of the package.
mkdir project
cp -r "$root/training_configs" "$root/fixtures" project
cd project
../environment/bin/python -W ignore - <<'PYTHON'
import sys
from pathlib import Path

import allennlp_gated

package = Path(allennlp_gated.__file__).parent
assert Path(sys.prefix) in package.parents, package
kernels = [file.name for file in (package / "recurrence").glob("_kernels*")]
assert kernels, "the wheel holds no compiled kernels"
print(package.name, allennlp_gated.__version__, *kernels)
PYTHON
../environment/bin/allennlp train training_configs/ud_parser_no_gates.jsonnet -s run \
    --include-package allennlp_gated --overrides '{"trainer.num_epochs": 1}' >train.log 2>&1 ||
    { tail -n 50 train.log; exit 1; }
../environment/bin/python -c "
import json
metrics = json.load(open('run/metrics.json'))
print({name: metrics['best_validation_' + name] for name in ('UAS', 'LAS')}, 'after one epoch')"
