"""What the nodes of Slurm's partitions have bounds what is submitted; what none can hold is refused with numbers."""

from types import SimpleNamespace

import pytest
from snakemake.iocontainers import ResourceList
from snakemake.resources import GroupResources, Resources

from preimage.running.slurm_nodes import Kind, Partitions, bound, wish

from ..conftest import refusal

SINFO = [
    "main*|2|23081|infinite|UNLIMITED", "wide|64|512000+|2-12:00:00|UNLIMITED", "wide|16|2000000|2-12:00:00|8",
    "short|4|8000|30:00|UNLIMITED", "odd|?|n/a|infinite|UNLIMITED", "",
]  # fmt: skip


def test_what_sinfo_says_is_read():
    found = Partitions.read(SINFO)
    assert found.default == "main"
    assert found.kinds == (
        Kind("wide", 64, 512000, 3600), Kind("wide", 8, 2000000, 3600),
        Kind("short", 4, 8000, 30), Kind("main", 2, 23081, None),
    )  # fmt: skip


class Job:
    """As Snakemake's: what is asked for at an attempt, below what the run has."""

    is_local = False

    def __init__(self, rule, limits, partition=None, **asked):
        self.rule, self.limits, self.asked, self.attempt = SimpleNamespace(name=rule), limits, asked, 1
        self.partition, self._resources, self.pipe_group = partition, None, None

    @property
    def resources(self):
        if self._resources is None:
            grown = {key: v * (self.attempt if key in ("mem_mb", "runtime") else 1) for key, v in self.asked.items()}
            tops = {key: self.limits.get(key).value for key in grown}
            own = {key: v if tops[key] is None else min(v, tops[key]) for key, v in grown.items()}
            own |= {"slurm_partition": self.partition} if self.partition else {}
            self._resources = ResourceList(fromdict=own)
        return self._resources


class Group:
    """As Snakemake's, with its own way to lay steps into a group's width."""

    groupid = "invert.tiny.0"

    def __init__(self, jobs, limits):
        self.jobs, self.global_resources, self._resources = jobs, limits, None

    @property
    def resources(self):
        if self._resources is None:
            self._resources = GroupResources.basic_layered([self.jobs], self.global_resources, run_local=False)
        return ResourceList(fromdict=self._resources)

    def again(self, attempt):
        self._resources = None
        for job in self.jobs:
            job.attempt, job._resources = attempt, None


def run(*jobs, grouped=False, cores=None, lines=SINFO, partition=None, chooses=None):
    """Return what would be submitted, after bounds, of jobs given as {rule, resources}."""
    limits = Resources.from_mapping({"_nodes": 100, "_cores": cores})
    made = [Job(limits=limits, partition=partition, **job) for job in jobs]
    assert all(job.resources for job in made)  # as Snakemake, which has looked at them by then
    group = Group(made, limits) if grouped else None
    dag = SimpleNamespace(needrun_jobs=lambda: made, get_job_group=lambda job: group)
    settings = SimpleNamespace(partition_config=chooses)
    bound(SimpleNamespace(dag=dag, global_resources=limits, executor_settings=settings), Partitions.read(lines))
    return group or made[0]


SEARCH = {"rule": "invert", "_cores": 1, "mem_mb": 2000, "runtime": 60}


@pytest.mark.parametrize(("partition", "cores", "asked"), [
    (None, None, (2, 4000, 360)),  # main's two CPUs: six layers of an hour
    (None, 1, (1, 2000, 720)),
    (None, 64, (2, 4000, 360)),
    ("wide", None, (12, 24000, 60)),
    ("wide", 3, (3, 6000, 240)),
    ("main,wide", None, (12, 24000, 60)),
    ("main,short", None, (2, 4000, 360)),  # of short's four CPUs it would need more than half an hour
])  # fmt: skip
def test_a_group_is_as_wide_as_the_largest_node(partition, cores, asked):
    assert wish(run(*12 * [SEARCH], grouped=True, cores=cores, partition=partition)) == asked


def test_a_group_is_as_wide_as_the_memory_allows_and_again_when_its_steps_get_more():
    group = run(*12 * [SEARCH], grouped=True, lines=["main*|16|7000|infinite|UNLIMITED"])
    assert wish(group) == (3, 6000, 240)
    group.again(2)
    assert wish(group) == (1, 4000, 1440)
    group.again(9)  # 18,000 MB a step would be more than there is
    assert wish(group) == (1, 7000, 12 * 540)


def test_a_step_has_no_more_threads_than_the_node_has_cpus():
    assert wish(run({**SEARCH, "_cores": 8})) == (2, 2000, 60)


def test_a_step_that_no_node_can_hold_is_refused_with_its_numbers():
    large = {"rule": "train", "_cores": 1, "mem_mb": 40000, "runtime": 60}
    told = refusal(run, large)
    assert "rule train asks for 40000 MB of memory where the largest node has 23081 (partition main)" in told
    assert "under `set-resources` (`train: mem_mb`)" in told
    assert wish(run(large, partition="wide")) == (1, 40000, 60)
    told = refusal(run, {**SEARCH, "cpus_per_task": 5, "mem_mb": 9000}, partition="short")
    assert all(part in told for part in ("5 CPUs", "has 4", "9000 MB", "has 8000", "60 minutes", "may take 30"))


def test_a_group_that_is_too_long_when_its_steps_follow_each_other_is_refused():
    quick = {**SEARCH, "runtime": 20}
    assert wish(run(*4 * [quick], grouped=True, partition="short")) == (4, 8000, 20)
    told = refusal(run, *5 * [quick], grouped=True, partition="short")
    assert "group invert.tiny.0 asks for 40 minutes where a job may take 30" in told and "group-components" in told


def test_all_that_is_too_large_is_told_at_once():
    told = refusal(run, {**SEARCH, "mem_mb": 40000}, SEARCH, {"rule": "train", "_cores": 1, "mem_mb": 50000})
    assert "rule invert asks for 40000" in told and "rule train asks for 50000" in told
    assert "(`invert: mem_mb`, `train: mem_mb`)" in told


@pytest.mark.parametrize("lines", [[], ["main*|?|?|?|?"], ["other|2|23081|infinite|UNLIMITED"]])
def test_where_nothing_is_known_of_nodes_nothing_is_bound(lines):
    job = run({**SEARCH, "_cores": 8}, lines=lines, partition="main")
    assert wish(job) == (8, 2000, 60)


def test_without_a_default_partition_or_where_a_file_chooses_any_may_be_the_one():
    assert wish(run(*12 * [SEARCH], grouped=True, chooses="partitions.yaml")) == (12, 24000, 60)
    assert wish(run(*12 * [SEARCH], grouped=True, lines=[line.replace("*", "") for line in SINFO])) == (12, 24000, 60)
