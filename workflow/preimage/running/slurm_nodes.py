"""What the nodes of Slurm's partitions have: it bounds what is submitted, and what no node can hold is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from preimage.support.errors import StudyError

# Partition (* at the default), CPUs, MB, the longest time, the most CPUs of a node that a job may have.
FORMAT = "%P|%c|%m|%l|%B"
# What is asked for, as it is said and as a resource.
UNITS = ("CPUs", "MB of memory", "minutes")
KEYS = ("cpus_per_task", "mem_mb", "runtime")

# Names a file by which the executor chooses a partition for each job; `--slurm-partition-config` does as well.
CHOOSES = "SNAKEMAKE_SLURM_PARTITIONS"


class Kind(NamedTuple):
    """Nodes of a partition that have the same; no minutes where a job may take any time."""

    partition: str
    cpus: int
    memory: int
    minutes: int | None


class Partitions(NamedTuple):
    """The kinds of nodes, the widest first, and the partition of those who name none."""

    kinds: tuple[Kind, ...]
    default: str | None

    @classmethod
    def read(cls, lines: Iterable[str]) -> Partitions:
        """Read what `sinfo --noheader --exact` prints in `FORMAT`; a line that has no numbers says nothing."""
        kinds, default = set(), None
        for line in lines:
            name, *rest = line.strip().split("|")
            if name.endswith("*"):
                name = default = name[:-1]
            numbers = [re.match(r"\d+", word) for word in rest]
            if len(numbers) == 4 and numbers[0] and numbers[1]:
                cpus = min(int(one.group()) for one in (numbers[0], numbers[3]) if one)
                kinds.add(Kind(name, cpus, int(numbers[1].group()), _minutes(rest[2])))
        return cls(tuple(sorted(kinds, key=lambda kind: kind[1:3], reverse=True)), default)

    def of(self, job: Any) -> tuple[Kind, ...]:
        """Return the kinds that a job may run on; all where it names no partition and there is no default."""
        asked = job.resources.get("slurm_partition") or self.default
        names = asked and split(asked)
        return tuple(kind for kind in self.kinds if not names or kind.partition in names)


def split(partitions: object) -> list[str]:
    """Return the names in a list of partitions, of which Slurm takes the first that is free."""
    return [name for name in re.split(r"[,\s]+", str(partitions)) if name]


def _minutes(time: str) -> int | None:
    """Return the minutes of [days-][hours:]minutes:seconds, as Slurm writes a time; None where it is a word."""
    if not (match := re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):\d+", time)):
        return None
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return (days * 24 + hours) * 60 + minutes


def bound(workflow: Any, partitions: Partitions) -> None:
    """Have no submission of a run ask for more than a node of its partition has.

    To Snakemake it is as if the user had said so (`--cores`, `--resources mem_mb=...`): groups run their steps one
    after the other rather than at once, and a step that is tried again with more asks for all there is at most.

    Raises:
        StudyError: no node can hold a step or a group, with its numbers and those of the largest node.
    """
    dag, limits = workflow.dag, workflow.global_resources
    if workflow.executor_settings.partition_config or CHOOSES in os.environ:
        partitions = partitions._replace(default=None)
    places = {job: partitions.of(job) for job in dag.needrun_jobs() if not job.is_local}
    places = {job: kinds for job, kinds in places.items() if kinds}
    if not places:
        return
    used = {kind for kinds in places.values() for kind in kinds}
    _lower(limits, "_cores", max(kind.cpus for kind in used))
    for job in places:
        job._resources = None  # or the cores that it was given before would stay
    _refuse([(f"rule {job.rule.name}", job, kinds) for job, kinds in places.items()])
    # Not before: Snakemake lowers what is above it without a word.
    _lower(limits, "mem_mb", max(kind.memory for kind in used))
    groups = {group: kinds for job, kinds in places.items() if (group := dag.get_job_group(job)) is not None}
    for group, kinds in groups.items():
        _narrow(group, limits, kinds)
    _refuse([(f"group {group.groupid}", group, kinds) for group, kinds in groups.items()])


def _lower(limits: Any, name: str, most: int) -> None:
    said = limits.get(name).value
    limits[name] = most if said is None else min(said, most)


def _narrow(group: Any, limits: Any, kinds: Sequence[Kind]) -> None:
    """Have a group use the most cores at once with which some node holds it."""
    group.global_resources = limits.copy()
    widest = min(limits["_cores"].value, kinds[0].cpus)
    for cores, besides in [(c, b) for b in ((), ("runtime",)) for c in range(widest, 0, -1)]:
        group.global_resources["_cores"] = cores
        group._resources = None
        if any(_lacking(group, kind).keys() <= {*besides} for kind in kinds):
            return


def wish(job: Any) -> tuple[int, int, int]:
    """Return the CPUs, MB and minutes that a job, or a group of jobs, asks Slurm for."""
    said = {key: value for key, value in job.resources.items() if isinstance(value, int)}
    cpus = max(1, said.get("cpus_per_task") or said["_cores"])
    return cpus, said.get("mem_mb_per_cpu", 0) * cpus or said.get("mem_mb", 0), said.get("runtime", 0)


def _lacking(job: Any, kind: Kind) -> dict[str, str]:
    """Return what a job asks for and nodes of a kind have not, in words, by resource."""
    return {
        key: f"{asked} {unit} where {'a job may take' if unit == 'minutes' else 'the largest node has'} {there}"
        for key, unit, asked, there in zip(KEYS, UNITS, wish(job), kind[1:], strict=True)
        if there is not None and asked > there
    }


def _refuse(jobs: Iterable[tuple[str, Any, Sequence[Kind]]]) -> None:
    """Raise StudyError where no kind of node can hold some of these jobs, each with its name."""
    told: dict[str, None] = {}
    keys: dict[str, None] = {}
    for what, job, kinds in jobs:
        if lacking := min((_lacking(job, kind) for kind in kinds), key=len):
            told[f"{what} asks for {' and for '.join(lacking.values())} (partition {kinds[0].partition})"] = None
            keys |= dict.fromkeys(f"`{what.removeprefix('rule ')}: {key}`" for key in lacking)
    if told:
        rules = f"ask for less under `set-resources` ({', '.join(keys)})"
        remedy = "make smaller groups under `group-components`" if min(told).startswith("group ") else rules
        # Not on the command line, where one such setting stands in the place of all that the profile has.
        raise StudyError(
            f"{'; '.join(told)}: no node can hold that, it would wait for ever. In a copy of the profile {remedy}, or "
            "name another partition (`--default-resources slurm_partition=...`)"
        )
