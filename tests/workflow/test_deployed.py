"""The workflow away from its checkout: installed by pip, and as a module of another project's workflow."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from ..running import ROOT, environment, snakemake, study_argument, write_study

pytestmark = pytest.mark.long
TAG = "v99"
NOT_COPIED = (".git", ".venv", ".snakemake", ".slurm", ".hypothesis", "__pycache__", "results", ".*_cache")
SMALL = """
study: small
problem: {simulator: paraboloid, dimension: 2, samples: 60, noise: {sd: 10}}
surrogates: {forest: {kind: random_forest, trees: 5}}
objectives: {lowest: {minimize: y}}
inverters: {random: {kind: random, evaluations: 20}}
"""
# Another project's workflow: it takes all rules, hands on what is to be done around a run, and goes on from a table.
PROJECT = """
module preimage:
    snakefile: SOURCE
    config: {"studies": ["small.yaml"]}


use rule * from preimage


rule best:
    default_target: True
    input: "results/small/summary.csv", "results/.tracking/store.created"
    output: "best.csv"
    shell: "cp {input[0]} {output}"


onstart: preimage.onstart()
onsuccess: preimage.onsuccess()
onerror: preimage.onerror()
"""


def run(command, folder, **more):
    done = subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + (done.stderr if "-n" in command else "")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """This working tree as a git repository of one tagged commit."""
    folder = tmp_path_factory.mktemp("repository") / "preimage"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", "all"], ["tag", TAG]):
        run(["git", *words], folder)
    return folder


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The summary that a plain run writes."""
    folder = write_study(tmp_path_factory.mktemp("plain"), SMALL, "small.yaml")
    done = snakemake(folder, "results/small/summary.csv", *study_argument("small.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    return (folder / "results/small/summary.csv").read_bytes()


def hosted(repository, cache):
    """Put a clone where Snakemake keeps those that it fetches from a host; return the address."""
    place = cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/someone/preimage"
    run(["git", "clone", "-q", "--bare", str(repository), str(place)], repository)
    return f'github("someone/preimage", path="workflow/Snakefile", tag="{TAG}")'


# `gitfile` is not among them: Snakemake 9.27 fails with it for any script that is named relative to its rule.
SOURCES = {
    "path": lambda repository, cache: f'"{repository}/workflow/Snakefile"',
    "git tag": hosted,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_another_workflow_takes_it_as_a_module(kind, repository, expected, tmp_path):
    write_study(tmp_path, SMALL, "small.yaml")
    cache = tmp_path / "cache"
    (tmp_path / "Snakefile").write_text(PROJECT.replace("SOURCE", SOURCES[kind](repository, cache)))
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    run(command, tmp_path, XDG_CACHE_HOME=str(cache))
    assert (tmp_path / "best.csv").read_bytes() == expected
    (invocation,) = (tmp_path / "results/small/tracking").glob("invocation-*.json")
    record = json.loads(invocation.read_text())
    commit = run(["git", "rev-parse", "HEAD"], repository).strip()
    assert (record["status"], record["tags"]["git_commit"]) == ("FINISHED", commit)
    again = subprocess.run(
        [*command, "-n"], cwd=tmp_path, env=environment(XDG_CACHE_HOME=str(cache)), capture_output=True
    )
    assert b"Nothing to be done" in again.stdout + again.stderr


@pytest.fixture(scope="module")
def installed(repository, tmp_path_factory):
    """The `bin` of a fresh environment with the wheel, and with this one's other packages."""
    folder = tmp_path_factory.mktemp("installed")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], repository)
    run([sys.executable, "-m", "venv", "venv"], folder)
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    (wheel,) = folder.glob("*.whl")
    run(["venv/bin/python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], folder)
    return folder / "venv/bin"


def test_the_wheel_runs_a_study_of_a_table(installed, tmp_path):
    """Table to study, study to report, report to Python, all from what the wheel has."""
    rows = "\n".join(f"{a},{b},{a * a + b}" for a in range(6) for b in range(6))
    (tmp_path / "mix.csv").write_text(f"a,b,y\n{rows}\n")
    run([installed / "preimage", "new", "mix.csv"], tmp_path)
    study = (tmp_path / "mix.yaml").read_text()
    (tmp_path / "mix.yaml").write_text(study.replace("evaluations: 500", "evaluations: 20"))
    run([installed / "preimage", "run", "mix.yaml"], tmp_path)
    shown = run([installed / "preimage", "open", "mix"], tmp_path, BROWSER="true")
    assert shown == "results/mix/report.html\n" and (tmp_path / "results/mix/report.html").exists()
    asked = (
        "import preimage; print(preimage.__file__, *preimage.open('results/mix').models['forest'].predict([[5, 5]]).y)"
    )
    file, predicted = run([installed / "python", "-P", "-c", asked], tmp_path).split()
    assert str(installed.parent) in file and 20 < float(predicted) <= 30
    assert "Nothing to be done" in run([installed / "preimage", "run", "mix.yaml", "-n"], tmp_path)


def test_the_wheel_has_every_file_of_the_workflow(installed, repository):
    (library,) = installed.parent.glob("lib/python*/site-packages/preimage")
    for folder in ("preimage", "rules", "scripts", "profiles", "report", "schemas", "bin"):
        for path in (repository / "workflow" / folder).rglob("*"):
            if path.is_file() and not any("cache" in part for part in path.parts):
                inside = library.parent if folder == "preimage" else library / "workflow"
                copy = inside / path.relative_to(repository / "workflow")
                assert copy.read_bytes() == path.read_bytes() and os.access(copy, os.X_OK) == os.access(path, os.X_OK)
    for name in ("Snakefile", "workflow/Snakefile", "workflow/run.py", "requirements.lock", "envs/preimage.yaml"):
        assert (library / name).read_bytes() == (repository / name).read_bytes()
