"""A Snakemake whose output nobody reads any more ends by itself, a failed job included."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..running import environment

LIBRARY = str(Path(__file__).resolve().parents[2] / "workflow")
FLOW = """
rule all:
    input: "failed"

rule fails:
    output: "failed"
    script: "fails.py"
"""
GUARD = f"""
import sys
sys.path.insert(0, {LIBRARY!r})
from preimage.running import broken_output
broken_output.outlive_readers()
"""
# Fails once its reader is gone, as a script that prints would.
FAILS = """
import pathlib, time
pathlib.Path("began").touch()
while not pathlib.Path("closed").exists():
    time.sleep(0.01)
raise RuntimeError
"""


@pytest.mark.parametrize("guard", [GUARD, pytest.param("", marks=pytest.mark.long)], ids=["guarded", "not"])
def test_a_job_that_fails_after_the_reader_has_gone_ends_the_run(tmp_path, guard):
    (tmp_path / "Snakefile").write_text(guard + FLOW)
    (tmp_path / "fails.py").write_text(FAILS)
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        while not (tmp_path / "began").exists():
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.01)
        process.stdout.close()
        (tmp_path / "closed").touch()
        if guard:
            assert process.wait(timeout=60) == 1
        else:  # what is guarded against; where this fails, the guard is needed no more
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            process.kill()


@pytest.mark.parametrize("descriptor", [1, 2])
def test_what_is_written_to_a_closed_pipe_goes_nowhere(tmp_path, descriptor):
    code = f"""{GUARD}
import os, pathlib, time
sys.stdin.read(1)
for _ in range(1000):
    if os.path.samestat(os.fstat({descriptor}), os.stat(os.devnull)):
        break
    time.sleep(0.01)
os.write({descriptor}, b"nobody reads this")
pathlib.Path("written").touch()
"""
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        (process.stdout if descriptor == 1 else process.stderr).close()
        process.stdin.write(b"x")
        process.stdin.close()
        assert process.wait(timeout=60) == 0 and (tmp_path / "written").exists()


def test_what_has_a_reader_stays_as_it_is(tmp_path):
    code = f"{GUARD}\nimport time\ntime.sleep(0.2)\nprint('read')"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout == "read\n"
