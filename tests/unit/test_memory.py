"""How much memory there is: by the limits of control groups, read from files as the kernel shows them."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from preimage.support import limits

from ..conftest import refusal
from ..running import ROOT

# What version 1 says where there is no limit.
NONE = "9223372036854771712"
SYSTEMS = {
    "version 2, of the group itself": ("0::/job\n", {"job/memory.max": "2147483648"}, {2147483648}),
    "version 2, of a group around it": (
        "0::/slurm/job_7/step_0\n",
        {"slurm/memory.max": "max", "slurm/job_7/memory.max": "3000000000", "slurm/job_7/step_0/memory.max": "max"},
        {3000000000},
    ),
    "version 2, nested limits": (
        "0::/a/b\n", {"a/memory.max": "1000", "a/b/memory.max": "5000", "other/memory.max": "7"}, {1000, 5000}
    ),
    "version 2, a container sees its own group as the root": ("0::/\n", {"memory.max": "4000000000"}, {4000000000}),
    "version 2, the group is outside of what is mounted": ("0::/../../other\n", {"memory.max": "4000"}, {4000}),
    "version 2, no limit": ("0::/job\n", {"job/memory.max": "max"}, set()),
    "version 1": (
        "5:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/job\n",
        {"memory/memory.limit_in_bytes": NONE, "memory/job/memory.limit_in_bytes": "2000", "cpu/job/memory.max": "7"},
        {int(NONE), 2000},
    ),
    "version 1, with another kind in one hierarchy": (
        "2:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": "3000"}, {3000}
    ),
    "version 1, a container whose group is mounted as the root": (
        "4:memory:/docker/0123\n", {"memory/memory.limit_in_bytes": "5000"}, {5000}
    ),
    "both versions": (
        "4:memory:/job\n0::/job\n", {"memory/job/memory.limit_in_bytes": "2000", "job/memory.max": "max"}, {2000}
    ),
    "a name with a colon, and nothing that is a number": ("0::/a:b\n", {"a:b/memory.max": "much"}, set()),
    "a name with a colon": ("0::/a:b\n", {"a:b/memory.max": "6000"}, {6000}),
    "no groups": ("", {}, set()),
    "no file": (None, {}, set()),
}  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_limits_of_control_groups_are_read(tmp_path, system):
    listed, files, expected = SYSTEMS[system]
    if listed is not None:
        (tmp_path / "cgroup").write_text(listed)
    for name, text in files.items():
        path = tmp_path / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert set(limits._of_groups(tmp_path / "cgroup", tmp_path / "mounted")) == expected


def test_the_peak_of_a_process_is_its_own_and_not_that_of_the_process_that_started_it():
    held = np.ones(40_000_000)
    code = "from preimage.support import limits; print(limits.peak())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert limits.peak() > held.nbytes > int(done.stdout) > 1_000_000


@pytest.mark.parametrize(("most", "refused"), [(2 * 2**30, True), (8 * 2**30, False), (resource.RLIM_INFINITY, False)])
def test_too_few_addresses_are_refused_before_libraries_end_in_any_way(monkeypatch, most, refused):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (most, most))
    if not refused:
        return limits.check_addresses()
    said = refusal(limits.check_addresses)
    assert said.startswith("`ulimit -v` allows 2.15 GB of addresses, expected at least 4 GB") and "unlimited" in said
