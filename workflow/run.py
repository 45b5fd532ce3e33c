"""What `make run` does: recover from a run that was killed, then run Snakemake.

Usage: python workflow/run.py --cores 2 [anything else that snakemake takes]

A killed run leaves three things behind: Snakemake's lock, half-done jobs, and perhaps jobs still at work. Here: wait
until nobody works in this folder, remove the stale lock, and let Snakemake redo what is incomplete.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
LOCKS = Path("results/.locks")
# The same names as in preimage.step and preimage.invocation, which take these locks; importing them would cost a
# second of every `make run` that finds nothing to do.
RUN, JOBS = LOCKS / "run", LOCKS / "jobs"
RUN_LOCK_HELD = "PREIMAGE_RUN_LOCK_HELD"


def wait_for(path: Path, who: str) -> IO[str]:
    """Return the lock file, locked by us alone; say so where that takes a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"preimage: {who} at work in {Path.cwd()}: waiting for it to end (Ctrl-C to stop waiting)", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        print("preimage: this file system has no locks: make sure that no other run works in this folder", flush=True)
    return lock


def main() -> None:
    arguments = sys.argv[1:]
    run = wait_for(RUN, "another run is")
    wait_for(JOBS, "a step of a run that was killed is still").close()
    base = [sys.executable, "-m", "snakemake", "--workflow-profile", str(HERE / "profiles" / "default")]
    locks = Path(".snakemake/locks")
    if locks.is_dir() and any(locks.iterdir()):
        subprocess.run([*base, *arguments, "--unlock", "--quiet", "all"], check=False)
    started = time.monotonic()
    os.set_inheritable(run.fileno(), True)
    process = subprocess.Popen([*base, *arguments], env={**os.environ, RUN_LOCK_HELD: "1"}, pass_fds=[run.fileno()])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        code = process.wait()  # Snakemake got the same signal and is stopping its jobs
    if code == 0:
        print(f"preimage: done in {time.monotonic() - started:.0f} s. Open:")
        for page in sorted(Path("results").glob("*/report.html")):
            print(f"  {page}")
    sys.exit(code)


if __name__ == "__main__":
    main()
