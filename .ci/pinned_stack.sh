#!/usr/bin/env bash
# The package on AllenNLP's own pins, in two steps:
#   .ci/pinned_stack.sh install <python3.10> <folder>   what an existing AllenNLP project does
#   .ci/pinned_stack.sh test <python3.10> <folder>      the tests against what was installed
set -euo pipefail

step=$1
python=$2
environment=$3/pinned
project=$3/pinned_project
root=$(cd "$(dirname "$0")/.." && pwd)

if [ "$step" = install ]; then
    # Built from a copy, since setuptools leaves its working files beside the sources.
    mkdir -p "$project"
    git -C "$root" archive HEAD | tar -x -C "$project"
    "$python" -m venv "$environment"
    cd "$project"
    # The pip that comes with an old Python takes many times longer to find versions that agree.
    "$environment/bin/python" -m pip install --quiet --upgrade pip
    "$environment/bin/python" -m pip install --quiet . pytest hypothesis
    # From here on the package can only be the one that was installed.
    rm -rf allennlp_gated build ./*.egg-info
else
    cd "$project"
    "$environment/bin/python" -c "
import sys, allennlp_gated, torch
print('Python', sys.version.split()[0], 'PyTorch', torch.__version__, allennlp_gated.__file__)"
    # The sources are packed and linted on the first stack.
    "$environment/bin/python" -m pytest --ignore tests/test_packaging.py
fi
