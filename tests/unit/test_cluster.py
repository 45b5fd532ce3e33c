"""What Slurm would refuse, refused before a job is submitted; and how often its queue is looked at."""

import asyncio
import inspect
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
    logger = SimpleNamespace(warning=print)

    def __init__(self):
        self._failed_nodes = set()
        self.workflow = SimpleNamespace(executor_settings=SimpleNamespace(status_command="sacct"))


async def query_job_status(command, logger):
    """As the executor's own, which it looks up in its module."""
    return ({"1": "CANCELLED by 0", "2": "RUNNING"}, 0.1) if command == "sacct" else (None, None)


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """Put the module's function back after each test, and start no thread."""
    monkeypatch.setattr(sys.modules[__name__], "query_job_status", query_job_status)
    monkeypatch.setattr(slurm.threading.Thread, "start", lambda self: None)


def test_the_executor_of_the_lock_has_what_is_changed():
    import snakemake_executor_plugin_slurm as plugin

    source = inspect.getsource(plugin.Executor)
    assert {"additional_general_args", "check_active_jobs"} <= vars(plugin.Executor).keys()
    assert all(name in source for name in ("self.next_seconds_between_status_checks =", "self._failed_nodes.add"))
    assert hasattr(plugin, "query_job_status") and "await query_job_status(" in source
    assert "status_command" in plugin.ExecutorSettings.__dataclass_fields__


def test_a_node_that_failed_is_asked_again_but_for_those_that_the_user_leaves_out():
    executor = Executor()
    executor._failed_nodes = {"broken"}
    slurm.suit(executor)
    executor._failed_nodes.add("was-down")
    assert executor._failed_nodes == {"broken"}


def test_who_cancelled_a_job_is_no_part_of_its_state():
    module = sys.modules[__name__]
    slurm.suit(Executor())
    assert asyncio.run(module.query_job_status("sacct", None)) == ({"1": "CANCELLED", "2": "RUNNING"}, 0.1)
    assert asyncio.run(module.query_job_status("broken", None)) == (None, None)


@pytest.mark.parametrize(("accounts", "command"), [(True, "sacct"), (False, "squeue")])
def test_without_accounts_the_queue_is_asked(accounts, command):
    executor = Executor()
    slurm.suit(executor, accounts)
    assert executor.workflow.executor_settings.status_command == command


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
    said, told = [WAITING, WAITING + "\n17|4|2000M|1:00:00|main|BadConstraints", None, WAITING], []
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if not said:
            raise InterruptedError
        commands(squeue=said.pop(0))

    monkeypatch.setattr(slurm, "time", SimpleNamespace(sleep=sleep))  # not that of all modules
    with pytest.raises(InterruptedError):
        slurm._watch("this run", told.append)
    jobs = [line.split("job ")[1].split()[0] for line in told]
    assert jobs == ["7", "11", "12", "14", "15", "16", "17"]
    assert "PartitionConfig" in told[0] and "13 CPUs, 24000M of memory" in told[0] and "scancel 7" in told[0]
    assert max(slept) <= 30  # within a minute, with all that asking may take
