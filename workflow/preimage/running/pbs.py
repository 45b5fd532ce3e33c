"""Jobs on PBS (OpenPBS, PBS Pro, Torque), for Snakemake's generic executor: `python -m preimage.running.pbs submit
<script>` prints the job's name, `status <job>` prints running, success or failed.

A job writes its own exit status into a file as it ends, so that clusters that forget finished jobs at once will do. One
that PBS knows no longer, or has ended, and that wrote nothing was killed.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path("results/.pbs")
# States of jobs that have ended (F: PBS Pro, C: Torque); a file system may show a file this much later.
ENDED, LATENCY_SECONDS = {"F", "C"}, 5.0
# A resource of the study's command line, by the option of qsub that it becomes.
OPTIONS = {"pbs_queue": "-q", "pbs_account": "-A"}
WRAPPED = """#!/bin/sh
cd {folder} || exit 1
sh {script}
status=$?
echo "$status" > {marks}/"${{PBS_JOBID:-unknown}}.new" && mv {marks}/"$PBS_JOBID.new" {marks}/"$PBS_JOBID.exit"
exit "$status"
"""


def submit(script: Path) -> str:
    """Submit one of Snakemake's scripts with the resources that it states; return the name that PBS gives the job.

    Raises subprocess.CalledProcessError where qsub refuses it: it has said why.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    about = properties(script)
    wrapper = FOLDER / f"{script.stem}.sh"
    quoted = {"folder": Path.cwd(), "script": script.absolute(), "marks": FOLDER.absolute()}
    wrapper.write_text(WRAPPED.format(**{k: shlex.quote(str(v)) for k, v in quoted.items()}), encoding="utf-8")
    done = subprocess.run([*command(about), str(wrapper)], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def properties(script: Path) -> dict[str, Any]:
    """Return what Snakemake writes of a job into its script."""
    (line,) = re.findall(r"^# properties = (.*)$", script.read_text(encoding="utf-8"), re.M)
    found: dict[str, Any] = json.loads(line)
    return found


def command(about: dict[str, Any]) -> list[str]:
    """Return how a job is submitted."""
    resources = about["resources"]
    # PBS takes letters, digits, dash and underscore, 15 of them, beginning with a letter.
    name = re.sub(r"[^A-Za-z0-9_-]", "_", about.get("rule") or about.get("groupid") or "steps")[:15]
    chunk = f"select=1:ncpus={about.get('threads', 1)}"
    if memory := resources.get("mem_mb"):
        chunk += f":mem={int(memory)}mb"
    options = [item for key, flag in OPTIONS.items() if key in resources for item in (flag, str(resources[key]))]
    time_limit = ["-l", f"walltime={60 * int(resources['runtime'])}"] if resources.get("runtime") else []
    return ["qsub", "-N", name, "-l", chunk, *time_limit, "-j", "oe", "-o", f"{FOLDER.absolute()}/", *options]


def status(job: str) -> str:
    """Return how a job is: running, success or failed."""
    if (said := _exit(job)) is not None:
        return said
    asked = subprocess.run(["qstat", "-x", "-f", job], capture_output=True, text=True, check=False)
    state = re.search(r"job_state\s*=\s*(\w)", asked.stdout)
    if asked.returncode == 0 and state and state[1] not in ENDED:
        return "running"
    if asked.returncode and "nknown" not in asked.stderr:  # the server is away: it will be back
        return "running"
    time.sleep(LATENCY_SECONDS)
    return _exit(job) or "failed"


def _exit(job: str) -> str | None:
    path = FOLDER / f"{job}.exit"
    if not path.exists():
        return None
    return "success" if path.read_text(encoding="utf-8").strip() == "0" else "failed"


if __name__ == "__main__":
    what, of = sys.argv[1:]
    try:
        print(submit(Path(of)) if what == "submit" else status(of))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
