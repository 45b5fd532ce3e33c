"""Snakemake's scheduler looks at the steps when one has ended, and not again and again."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..running import environment

LIBRARY = str(Path(__file__).resolve().parents[2] / "workflow")
STEPS = 25
# Each look that is to come has a thread of its own.
FLOW = f"""
import sys, threading
sys.path.insert(0, {LIBRARY!r})
from preimage.running import scheduling

onstart:
    if config.get("guarded"):
        scheduling.without_rate(workflow)

onsuccess:
    print("waiting:", sum(isinstance(t, threading.Timer) for t in threading.enumerate()))

rule all:
    input: expand("{{k}}", k=range({STEPS}))

rule step:
    output: "{{k}}"
    shell: "touch {{output}}"
"""


@pytest.mark.parametrize("guarded", [pytest.param(0, marks=pytest.mark.long), 1])
def test_no_look_waits_for_each_step_that_ended(tmp_path, guarded):
    (tmp_path / "Snakefile").write_text(FLOW)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--config", f"guarded={guarded}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    waiting = int(done.stdout.split("waiting:")[1].split()[0])
    # Where the first fails, Snakemake has mended it, and the module is needed no more.
    assert waiting == 0 if guarded else waiting > 5
