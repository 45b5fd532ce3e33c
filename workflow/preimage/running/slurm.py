"""What a run on Slurm needs beyond its profile: refused early what Slurm would refuse, and jobs looked at in time.

What nodes have bounds what is submitted, in `nodes`.
"""

from __future__ import annotations

import asyncio
import getpass
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

from preimage.running import slurm_nodes
from preimage.support.errors import StudyError, did_you_mean

PROGRAMS = ("sbatch", "srun", "squeue", "sinfo", "scontrol", "scancel")
# Seconds between looks at the queue, and what share of the time that nothing has ended.
LEAST, MOST, SHARE = 2.0, 30.0, 0.1
ANSWERS_WITHIN_SECONDS = 60
NO_ACCOUNTS = ("accounting_storage/none", "(null)")
# Why jobs wait that will have their turn; of any other reason the user is told, when jobs are looked at next.
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
    """Let Snakemake's executor for Slurm look at its jobs in time, run the steps of a group as one machine does, and
    take up again what a node or an administrator has ended.

    By itself it waits 10 s longer each time that nothing has ended, which for short jobs doubles their time; starts
    Snakemake anew for each step of a group, one after the other (no step of ours spans several nodes); and once a node
    has failed, asks for others only until the run ends: Slurm gives no job to a node that is down, and one that is back
    may be all that there is. A job that was cancelled has, with accounting, the state "CANCELLED by 0", which it knows
    not, and waits for without end; so it does for every job where `sacct` is installed but no accounts are kept: the
    queue is asked then. Of a job that waits for what may never come it says nothing.

    Args:
        accounts: whether Slurm keeps accounts.
    """
    kind, left_out = type(executor), set(getattr(executor, "_failed_nodes", ()))
    ours = {
        "next_seconds_between_status_checks": property(_seconds_to_wait, _note),
        "additional_general_args": lambda self: "--executor local",
        "check_active_jobs": _telling(kind.check_active_jobs),
        "_failed_nodes": property(lambda self: set(left_out)),  # those that the user named, and no more
    }
    module: Any = sys.modules[kind.__module__]
    if not accounts:
        ours["get_status_command"] = lambda self: "squeue"
        module.is_query_tool_available = lambda name: name != "sacct"  # which it falls back to
    executor.__class__ = type(kind.__name__, (kind,), ours)
    if hasattr(module, "query_job_status"):
        module.query_job_status = _in_one_word(module.query_job_status)


def _in_one_word(query: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the query of jobs' states, by job, and how long it took; each state without what follows it."""

    async def states(*arguments: Any) -> Any:
        found, seconds = await query(*arguments)
        return found and {job: state.partition(" ")[0] for job, state in found.items()}, seconds

    return states


def _telling(check: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """Return the look at active jobs that first tells of those that Slurm will not start as things are."""

    async def told(executor: Any, jobs: Any) -> AsyncIterator[Any]:
        mine, now = vars(executor), time.monotonic()
        known = mine.setdefault("reasons_told", set())
        if now >= mine.get("reasons_due", now):
            mine["reasons_due"] = now + REASONS_EVERY_SECONDS
            for why, job in (await asyncio.to_thread(stuck, executor.run_uuid)).items():
                if why not in known:
                    known.add(why)
                    executor.logger.warning(STUCK.format(job, *why))
        async for job in check(executor, jobs):
            yield job

    return told


def stuck(run: str) -> dict[tuple[str, str], str]:
    """Return a job of a run for each reason, and size, of those that wait for more than their turn."""
    found: dict[tuple[str, str], str] = {}
    for line in _lines("squeue", "--noheader", "--states=PENDING", f"--name={run}", "--format=%i|%C|%m|%l|%P|%r") or []:
        job, cpus, memory, minutes, partition, reason = line.split("|", 5)
        if re.sub(r"\W.*", "", reason.strip("()")) not in USUAL:
            asks = f"{cpus} CPUs, {memory} of memory and a time limit of {minutes} in partition {partition}"
            found.setdefault((reason, asks), job)
    return found


def _seconds_to_wait(executor: Any) -> float:
    since = vars(executor).setdefault("waiting_since", time.monotonic())
    return min(MOST, max(LEAST, SHARE * (time.monotonic() - since)))


def _note(executor: Any, seconds: float) -> None:
    """Take the executor's own wish, which is its shortest pause after a job has ended or where there is none."""
    if seconds <= LEAST:
        executor.waiting_since = time.monotonic()
