"""What Slurm would refuse, refused before a job is submitted; and how often its queue is looked at."""

import asyncio
import sys
from types import SimpleNamespace

import pytest

from preimage.running import slurm
from preimage.running.slurm_nodes import Kind, Partitions

from ..conftest import refusal

ANSWERS = {"sinfo": "main\nlong", "sacctmgr": "chem\nphysics"}


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Return a function that makes Slurm's commands: what each prints, None where it fails."""

    def make(**said):
        for name in {*slurm.PROGRAMS, *said}:
            text = said.get(name, "")
            command = tmp_path / name
            command.write_text("#!/bin/sh\n" + ("exit 1" if text is None else f"printf '{text}\\n'"))
            command.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return make


def test_what_is_there_is_let_through(commands):
    commands(**ANSWERS)
    slurm.check(["main"], ["chem"])
    slurm.check(["main,long"], [])
    slurm.check([], [])


def test_a_command_that_is_not_there_is_named(commands):
    (commands(**ANSWERS) / "squeue").unlink()
    message = refusal(slurm.check, [], [])
    assert "found no squeue on the PATH" in message and "login node" in message


def test_a_controller_that_does_not_answer(commands):
    commands(sinfo=None)
    assert "does not answer" in refusal(slurm.check, ["main"], [])


def test_the_nearest_partition_and_account_are_offered(commands):
    commands(**ANSWERS)
    assert "no partition 'mian'; did you mean 'main'?" in refusal(slurm.check, ["mian"], [])
    assert "no account 'chemm'; did you mean 'chem'?" in refusal(slurm.check, ["long"], ["chemm"])


@pytest.mark.parametrize("said", [None, ""])
def test_without_accounting_any_account_will_do(commands, said):
    commands(sinfo="main", sacctmgr=said)
    slurm.check([], ["anything"])


@pytest.mark.parametrize(("said", "kept"), [
    ("AccountingStorageType   = accounting_storage/slurmdbd", True),
    ("AccountingStorageType   = accounting_storage/none", False),
    ("AccountingStorageType   = (null)", False),
    (None, True),
])  # fmt: skip
def test_whether_accounts_are_kept_is_what_slurm_says(commands, said, kept):
    commands(scontrol=said and f"Configuration data as of today\\nAccountingStorageTRES   = cpu\\n{said}")
    assert slurm.keeps_accounts() == kept


def test_the_nodes_are_those_that_sinfo_tells_of(commands):
    commands(sinfo="main*|2|23081|infinite|UNLIMITED")
    assert slurm.partitions() == Partitions((Kind("main", 2, 23081, None),), "main")
    commands(sinfo=None)
    assert slurm.partitions() == Partitions((), None)


class Executor:
    """As Snakemake's: a pause that it makes longer and longer, and short again."""

    next_seconds_between_status_checks = 2
    run_uuid = "this run"

    async def check_active_jobs(self, active_jobs):
        for job in active_jobs:
            yield job

    def get_status_command(self):
        return "sacct"


def test_a_node_that_failed_is_asked_again_but_for_those_that_the_user_leaves_out():
    executor = Executor()
    executor._failed_nodes = {"broken"}
    slurm.suit(executor)
    executor._failed_nodes.add("was-down")
    assert executor._failed_nodes == {"broken"}


async def query_job_status(command, logger):
    """As the executor's own, which it looks up in its module."""
    return ({"1": "CANCELLED by 0", "2": "RUNNING"}, 0.1) if command == "sacct" else (None, None)


def test_who_cancelled_a_job_is_no_part_of_its_state(monkeypatch):
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "query_job_status", query_job_status)  # puts it back
    slurm.suit(Executor())
    assert asyncio.run(module.query_job_status("sacct", None)) == ({"1": "CANCELLED", "2": "RUNNING"}, 0.1)
    assert asyncio.run(module.query_job_status("broken", None)) == (None, None)


def is_query_tool_available(name):
    """As the executor's own: the command is there."""
    return True


def test_without_accounts_the_queue_is_asked(monkeypatch):
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "is_query_tool_available", is_query_tool_available)  # puts it back
    executor = Executor()
    slurm.suit(executor, accounts=True)
    assert executor.get_status_command() == "sacct" and module.is_query_tool_available("sacct")
    executor = Executor()
    slurm.suit(executor, accounts=False)
    assert executor.get_status_command() == "squeue"
    assert not module.is_query_tool_available("sacct") and module.is_query_tool_available("squeue")


def test_the_queue_is_looked_at_after_a_tenth_of_the_time_waited(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now[0])
    executor = Executor()
    slurm.suit(executor)
    pauses = []
    for waited in (0, 10, 50, 200, 4000):
        now[0] = 100.0 + waited
        pauses.append(executor.next_seconds_between_status_checks)
        executor.next_seconds_between_status_checks = 180  # nothing has ended
    assert pauses == [2, 2, 5, 20, 30] and isinstance(executor, Executor)
    executor.next_seconds_between_status_checks = 2  # a job has ended
    assert executor.next_seconds_between_status_checks == 2
    assert Executor().next_seconds_between_status_checks == 2  # no other executor is touched


WAITING = """7|13|24000M|1:00:00|main|PartitionConfig
8|13|24000M|1:00:00|main|PartitionConfig
9|1|2000M|1:00:00|main|Priority
10|1|2000M|1:00:00|main|Resources
11|2|2000M|1:00:00|main|AssocGrpCpuLimit
12|1|2000M|1:00:00|main|(ReqNodeNotAvail, May be reserved for other job)
13|1|2000M|1:00:00|main|None
14|1|2000M|1:00:00|main|DependencyNeverSatisfied
15|1|2000M|1:00:00|main|QOSMaxMemoryPerJob
16|1|2000M|1:00:00|main|BadConstraints"""


def test_a_job_that_waits_for_more_than_its_turn_is_told_once(commands, monkeypatch):
    now, told = [100.0], []
    commands(squeue=WAITING)
    monkeypatch.setattr(slurm.time, "monotonic", lambda: now[0])
    executor = Executor()
    executor.logger = SimpleNamespace(warning=told.append)
    slurm.suit(executor)

    async def look():
        return [job async for job in executor.check_active_jobs(["a", "b"])]

    assert asyncio.run(look()) == ["a", "b"]
    assert [line.split("job ")[1].split()[0] for line in told] == ["7", "11", "12", "14", "15", "16"]
    assert "PartitionConfig" in told[0] and "13 CPUs, 24000M of memory" in told[0] and "scancel 7" in told[0]
    commands(squeue=WAITING + "\n17|4|2000M|1:00:00|main|BadConstraints")
    asyncio.run(look())
    assert len(told) == 6  # too soon to ask again
    now[0] += 60 - slurm.MOST  # however long the pauses, within a minute
    asyncio.run(look())
    assert len(told) == 7 and "job 17" in told[-1]
    commands(squeue=None)
    now[0] += 60
    assert asyncio.run(look()) == ["a", "b"] and len(told) == 7
