"""What a run on Slurm needs beyond its profile: refused early what Slurm would refuse, and jobs looked at in time.

What nodes have bounds what is submitted, in `nodes`.
"""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from preimage.running import slurm_nodes
from preimage.support.errors import StudyError, did_you_mean

PROGRAMS = ("sbatch", "srun", "squeue", "sinfo", "scontrol", "scancel")
# Seconds between looks at the queue, and what share of the time that nothing has ended.
LEAST, MOST, SHARE = 2.0, 30.0, 0.1
ANSWERS_WITHIN_SECONDS = 60
NO_ACCOUNTS = ("accounting_storage/none", "(null)")
# Why jobs wait that will have their turn; of any other reason the user is told.
USUAL = ("None", "Priority", "Resources", "Dependency", "BeginTime", "Prolog", "Cleaning", "Licenses", "Reservation")
REASONS_EVERY_SECONDS = 15.0
STUCK = (
    "preimage: Slurm job {0} waits for {1}, perhaps for ever (it asks for {2}): `scontrol show job {0}` says more, "
    "`scancel {0}` ends it"
)


def check(partitions: Collection[str], accounts: Collection[str]) -> None:
    """Raise StudyError where Slurm is not here, does not answer, or has no such partition or account of this user."""
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise StudyError(
            f"profile slurm: found no {lacking[0]} on the PATH, expected Slurm's commands: run this where they are (a "
            "login node), or leave out --workflow-profile workflow/profiles/slurm"
        )
    known = _said("sinfo", "--noheader", "--format=%R")
    if known is None:
        raise StudyError("profile slurm: Slurm's controller does not answer (try `sinfo`)")
    for name in sorted({name for asked in partitions for name in slurm_nodes.split(asked)} - set(known)):
        raise StudyError(f"resource slurm_partition: Slurm has no partition '{name}'{did_you_mean(name, known)}")
    if not accounts or shutil.which("sacctmgr") is None:
        return
    user = getpass.getuser()
    # Where there is no accounting, any account will do.
    mine = _said("sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}", "format=account")
    for name in sorted(set(accounts) - set(mine or accounts)):
        raise StudyError(f"resource slurm_account: user {user} has no account '{name}'{did_you_mean(name, mine or ())}")


def partitions() -> slurm_nodes.Partitions:
    """Return what nodes each partition has."""
    return slurm_nodes.Partitions.read(_lines("sinfo", "--noheader", "--exact", f"--format={slurm_nodes.FORMAT}") or [])


def keeps_accounts() -> bool:
    """Whether Slurm keeps accounts of its jobs; without them `sacct` knows of none, though it may well be installed."""
    words = _said("scontrol", "show", "config") or []
    if "AccountingStorageType" not in words:
        return True
    return words[words.index("AccountingStorageType") + 2] not in NO_ACCOUNTS  # "key = value"


def _said(*command: str) -> list[str] | None:
    """Return the words that a command prints; None where it fails or does not answer."""
    lines = _lines(*command)
    return None if lines is None else " ".join(lines).split()


def _lines(*command: str) -> list[str] | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWERS_WITHIN_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None


def suit(executor: Any, accounts: bool = True) -> None:
    """Change how Snakemake's executor for Slurm (2.8) treats short steps, and tell of jobs that may wait for ever.

    Numbers are threads of snakemake/snakemake-executor-plugin-slurm.

    Args:
        accounts: whether Slurm keeps accounts.
    """
    kind, left_out = type(executor), frozenset(executor._failed_nodes)
    ours = {
        # It waits 10 s longer each time that nothing has ended, which doubles the time of short jobs (#319).
        "next_seconds_between_status_checks": property(_seconds_to_wait, _note),
        # It starts Snakemake again for each step of a group, one after the other (#469). Ours never span nodes.
        "additional_general_args": lambda self: "--executor local",
        # It excludes a node that failed until the run ends (#411), even the only one, and "None assigned" too (#485).
        # Slurm gives no job to a node that is down.
        "_failed_nodes": property(lambda self: set(left_out)),
    }
    executor.__class__ = type(kind.__name__, (kind,), ours)
    # It waits without end for a job that sacct calls "CANCELLED by 0" (no thread found).
    module: Any = sys.modules[kind.__module__]
    module.query_job_status = _in_one_word(module.query_job_status)
    # It asks sacct wherever that is installed, which without accounts knows of no job (#38, #336).
    if not accounts:
        executor.workflow.executor_settings.status_command = "squeue"
    threading.Thread(target=_watch, args=(executor.run_uuid, executor.logger.warning), daemon=True).start()


def _in_one_word(query: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the query of jobs' states, by job, and how long it took; each state without what follows it."""

    async def states(*arguments: Any) -> Any:
        found, seconds = await query(*arguments)
        return found and {job: state.partition(" ")[0] for job, state in found.items()}, seconds

    return states


def _seconds_to_wait(executor: Any) -> float:
    since = vars(executor).setdefault("waiting_since", time.monotonic())
    return min(MOST, max(LEAST, SHARE * (time.monotonic() - since)))


def _note(executor: Any, seconds: float) -> None:
    """Take the executor's own wish, which is its shortest pause after a job has ended or where there is none."""
    if seconds <= LEAST:
        executor.waiting_since = time.monotonic()


def _watch(run: str, warn: Callable[[str], None]) -> None:
    """Tell of each reason for which Slurm will not start jobs of a run as things are, for as long as the process is."""
    known = set[tuple[str, str]]()
    while True:
        time.sleep(REASONS_EVERY_SECONDS)
        for why, job in stuck(run).items():
            if why not in known:
                known.add(why)
                warn(STUCK.format(job, *why))


def stuck(run: str) -> dict[tuple[str, str], str]:
    """Return a job of a run for each reason, and size, of those that wait for more than their turn."""
    found: dict[tuple[str, str], str] = {}
    for line in _lines("squeue", "--noheader", "--states=PENDING", f"--name={run}", "--format=%i|%C|%m|%l|%P|%r") or []:
        job, cpus, memory, minutes, partition, reason = line.split("|", 5)
        if re.sub(r"\W.*", "", reason.strip("()")) not in USUAL:
            asks = f"{cpus} CPUs, {memory} of memory and a time limit of {minutes} in partition {partition}"
            found.setdefault((reason, asks), job)
    return found
