"""
Runs the README's commands as they are written, one block after the other, from the repository's
root. The test command has a stage of its own and is passed over.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

TEST_COMMAND = "uv run pytest"

text = Path("README.md").read_text(encoding="utf-8")
blocks = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
if TEST_COMMAND not in (block.strip() for block in blocks):
    sys.exit(f"README.md does not show {TEST_COMMAND}")
for block in blocks:
    if block.strip() == TEST_COMMAND:
        continue
    print(block, end="", flush=True)
    start = time.monotonic()
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if run.returncode:
        sys.exit("\n".join(run.stdout.splitlines()[-50:]) + f"\nexit code {run.returncode}")
    print(f"    {time.monotonic() - start:.0f} s", flush=True)
