"""What `make run` does: recover from a run that was killed, then run Snakemake.

Usage: python workflow/run.py --cores 2 [anything else that snakemake takes]

A killed run leaves three things behind: Snakemake's lock, half-done jobs, and perhaps jobs still at work. Here: wait
until nobody works in this folder, remove the stale lock, and let Snakemake redo what is incomplete. A dry run waits for
nobody and removes nothing. Asked to end (SIGTERM, SIGHUP), it ends Snakemake and all below it within 5 s.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

HERE = Path(__file__).resolve().parent
LOCKS = Path("results/.locks")
# The same names as in preimage.running.step and preimage.running.invocation, which take these locks; importing them
# would cost a second of every `make run` that finds nothing to do.
RUN, JOBS = LOCKS / "run", LOCKS / "jobs"
RUN_LOCK_HELD = "PREIMAGE_RUN_LOCK_HELD"
SNAKEMAKES_LOCKS = Path(".snakemake/locks")
# -n among flags that take no value (-np), or however much of --dry-run is written.
DRY = re.compile(r"-[npkFq]*n[npkFq]*|--dry(-?r(u(n)?)?)?-?")
# Steps save what they have within 4.5 s of being asked to end; whoever is left after this is killed.
GRACE_SECONDS, LONGEST_SECONDS = 4.7, 10.0
# After Ctrl-C, which Snakemake gets as well.
INTERRUPT_SECONDS = 5.0
PR_SET_CHILD_SUBREAPER = 36


class Asked(BaseException):
    """A signal to end."""


def main() -> None:
    try:
        sys.exit(run(sys.argv[1:]))
    except OSError as error:
        sys.exit(f"preimage: {Path(error.filename or '.').absolute()}: can't be written: {error.strerror}")


def run(arguments: list[str]) -> int:
    """Run Snakemake; return its exit status. Raises OSError where this folder can't be written."""
    folder = next(p for p in (Path(".snakemake"), Path()) if p.exists())
    if not os.access(folder, os.W_OK):
        raise OSError(0, "no permission; results go where you are: change to a folder of your own", str(folder))
    base = [sys.executable, "-P", "-m", "snakemake", "--workflow-profile", str(HERE / "profiles" / "default")]
    use_own_caches_without_a_home()
    if shutil.which("which") is None:
        os.environ["PATH"] = os.pathsep.join([*filter(None, [os.environ.get("PATH")]), str(HERE / "bin")])
    if any(DRY.fullmatch(a) for a in arguments):
        return attended([*base, *arguments], None)
    lock = wait_for(RUN, "another run is")
    wait_for(JOBS, "a step of a run that was killed is still").close()
    if SNAKEMAKES_LOCKS.is_dir() and any(SNAKEMAKES_LOCKS.iterdir()):
        subprocess.run([*base, *arguments, "--unlock", "--quiet", "all"], check=False)
    started = time.monotonic()
    code = attended([*base, *arguments], lock)
    if code == 0:
        print(f"preimage: done in {time.monotonic() - started:.0f} s. Open:")
        for page in sorted(Path("results").glob("*/report.html")):
            print(f"  {page}")
    return code


def use_own_caches_without_a_home() -> None:
    """Where nothing may be written below the home, have what Snakemake and Matplotlib keep there kept in this folder.

    Snakemake would end in a traceback; Matplotlib would look for fonts again in every step.
    """
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "snakemake"
        caches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=caches):
            return
    except (OSError, RuntimeError):  # the latter where there is no home at all
        own = Path(".snakemake/cache").absolute()
        os.environ["XDG_CACHE_HOME"] = str(own)
        os.environ.setdefault("MPLCONFIGDIR", str(own / "matplotlib"))


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


def attended(command: list[str], lock: IO[str] | None) -> int:
    """Run a command that inherits the lock; end it with all below it where we are asked to end."""
    held = [] if lock is None else [lock.fileno()]
    for descriptor in held:
        os.set_inheritable(descriptor, True)
    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) != signal.SIG_IGN:  # as nohup has it
            signal.signal(name, _ask)
    more = {RUN_LOCK_HELD: "1"} if held else {}
    _adopt_orphans()
    try:
        process = subprocess.Popen(command, env={**os.environ, **more}, pass_fds=held)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return process.wait(INTERRUPT_SECONDS)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        return ended(signal.SIGINT)
    except Asked as asked:
        return ended(asked.args[0])


def _ask(number: int, frame: FrameType | None) -> NoReturn:
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)  # once is enough
    raise Asked(number)


def ended(by: int) -> int:
    """End all that runs below us: asked to, then killed. Return the exit status of one that a signal ended."""
    import psutil

    asked, session, killed = time.monotonic(), os.getsid(0), False
    for one in psutil.Process().children(recursive=True):
        # Others have their own session for a reason: the sender ends with Snakemake, after its last record.
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(one.pid) == session:
                one.terminate()
    while (left := _left()) and time.monotonic() - asked < LONGEST_SECONDS:
        if time.monotonic() - asked > GRACE_SECONDS:
            killed = True
            for one in left:
                with contextlib.suppress(psutil.Error):
                    one.kill()
        time.sleep(0.02)
    if killed:
        for stale in SNAKEMAKES_LOCKS.glob("*"):
            stale.unlink()
    return 128 + by


def _left() -> list[Any]:
    """Return what still runs below us, what has ended being taken note of."""
    import psutil

    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return psutil.Process().children(recursive=True)


def _adopt_orphans() -> None:
    """Have what loses its parent below us become our child, where the system can (Linux), so that none is missed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    main()
