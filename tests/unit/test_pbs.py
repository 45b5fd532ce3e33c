"""The profile of PBS: the resources of Slurm's, what is submitted, and how a job is said to be."""

import subprocess
from pathlib import Path

import pytest
import yaml

from preimage.running import pbs

from ..running import ROOT

pytestmark = pytest.mark.usefixtures("here")
PROFILES = {
    name: yaml.safe_load((ROOT / f"workflow/profiles/{name}/config.yaml").read_text(encoding="utf-8"))
    for name in ("pbs", "slurm")
}
ABOUT = {"rule": "train", "threads": 2, "resources": {"mem_mb": 4000, "runtime": 90, "tmpdir": "/tmp"}}


def test_the_profiles_of_both_ask_for_the_same():
    for key in ("set-resources", "groups", "group-components", "retries"):
        assert PROFILES["pbs"][key] == PROFILES["slurm"][key]


def test_what_is_submitted_states_cores_memory_and_time():
    assert pbs.command(ABOUT)[:7] == [
        *("qsub", "-N", "train", "-l", "select=1:ncpus=2:mem=4000mb", "-l", "walltime=5400"),
    ]
    site = {**ABOUT["resources"], "pbs_queue": "short", "pbs_account": "chem"}
    assert pbs.command({**ABOUT, "resources": site})[-4:] == ["-q", "short", "-A", "chem"]
    group = {"groupid": "rows.my study.0", "resources": {}}
    assert pbs.command(group)[:5] == ["qsub", "-N", "rows_my_study_0", "-l", "select=1:ncpus=1"]


@pytest.mark.parametrize(
    ("mark", "code", "out", "error", "said"),
    [
        ("0", 1, "", "qstat: Unknown Job Id 7.head", "success"),
        ("1", 0, "job_state = R", "", "failed"),
        (None, 0, "    job_state = R\n", "", "running"),
        (None, 0, "    job_state = Q\n", "", "running"),
        (None, 0, "    job_state = F\n    Exit_status = 271\n", "", "failed"),
        (None, 153, "", "qstat: Unknown Job Id 7.head", "failed"),
        (None, 255, "", "qstat: cannot connect to server head (errno=111)", "running"),
    ],
)
def test_a_job_is_what_it_wrote_as_it_ended_and_else_what_pbs_says(monkeypatch, mark, code, out, error, said):
    monkeypatch.setattr(pbs, "LATENCY_SECONDS", 0)
    monkeypatch.setattr(
        pbs.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, code, out, error)
    )
    if mark is not None:
        pbs.FOLDER.mkdir(parents=True)
        (pbs.FOLDER / "7.head.exit").write_text(mark)
    assert pbs.status("7.head") == said


def test_a_submitted_script_runs_and_leaves_its_exit_status(monkeypatch, here):
    script = here / "it's a job.sh"
    script.write_text('# properties = {"rule": "train", "resources": {}}\nexit 3\n')
    monkeypatch.setattr(pbs, "command", lambda about: ["echo", about["rule"]])
    name, wrapper = pbs.submit(script).split(" ", 1)
    assert name == "train"
    done = subprocess.run(["sh", wrapper], env={"PBS_JOBID": "9.head", "PATH": "/usr/bin:/bin"}, check=False)
    assert done.returncode == 3 and pbs.status("9.head") == "failed"
    assert not list(Path(pbs.FOLDER).glob("*.new"))
