"""A run in a control group with little memory: the kernel ends a step, and the run says so; nothing else is ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..running import ROOT, environment, study_argument, write_study

STUDY = """
study: small
problem: {simulator: paraboloid, dimension: 2, samples: 60}
surrogates: {forest: {kind: random_forest, trees: 5}}
objectives: {lowest: {minimize: y}}
inverters: {random: {kind: random, evaluations: 20}}
"""
# By version of control groups: where they are, the file of the limit, and what limits swapping too, where there is any.
VERSIONS = [
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max"),
]
# More than Snakemake and the sender of records have, less than these and a step.
BYTES = 470_000_000


@pytest.fixture
def group():
    """A control group of 470 MB, with nothing in it; removed at the end."""
    for root, limit, swap in VERSIONS:
        folder = root / f"preimage-test-{os.getpid()}"
        try:
            folder.mkdir()
            if not (folder / limit).exists():
                folder.rmdir()
                continue
        except OSError:
            continue
        (folder / limit).write_text(str(BYTES))
        if (folder / swap).exists():
            (folder / swap).write_text("0" if swap == "memory.swap.max" else str(BYTES))
        yield folder
        folder.rmdir()
        return
    pytest.skip("control groups need a system administrator's rights: a limit of memory was not tested")


@pytest.mark.long
def test_a_step_that_the_kernel_ends_is_told(tmp_path, group):
    write_study(tmp_path, STUDY, "small.yaml")
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "2"]
    enter = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "-"]
    done = subprocess.run(
        [*enter, *command, *study_argument("small.yaml")], cwd=tmp_path, capture_output=True, text=True,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == 1 and "SIGKILL" in done.stderr, done.stderr[-4000:]
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("preimage:")]
    assert said.startswith("preimage: memory ran out, and the kernel ended a step: ")
    assert "there are 0.47 GB here; fewer rows, trees or starts take less" in said
