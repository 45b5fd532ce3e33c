"""No step waits for a package that it may not need."""

import re
import subprocess
import sys
from importlib import metadata

import pytest

from preimage.benchmarks import imports
from preimage.support.places import WORKFLOW

from ..running import ROOT, environment

# What the imports at the top of a script may load of the packages that take long. Those that show figures draw, those
# that calibrate differentiate, those that look at trees compile; models and methods are loaded when they are chosen.
MAY = {
    "evidence": {"numba"},
    "figures": {"matplotlib"},
    "invert": set(),
    "split": set(),
    "train": set(),
}


@pytest.mark.parametrize("script", MAY)
def test_a_step_loads_no_heavy_package_before_it_works(script):
    heavy = {name for name in imports.loaded(WORKFLOW / "scripts" / f"{script}.py") if not name.startswith("scipy.")}
    assert heavy == MAY[script]


def linked_alone(name, folder):
    """Link the files of an installed distribution, and of all that it requires, into a folder."""
    done, left = set(), [name]
    while left:
        own = left.pop()
        if own in done:
            continue
        done.add(own)
        try:
            found = metadata.distribution(own)
        except metadata.PackageNotFoundError:
            continue  # required on another platform
        for top in {file.parts[0] for file in found.files if ".." not in file.parts}:
            if not (folder / top).exists():
                (folder / top).symlink_to(found.locate_file(top))
        lines = [line for line in found.requires or [] if "extra ==" not in line]
        left += [re.match("[A-Za-z0-9._-]+", line).group().lower().replace("_", "-") for line in lines]


def test_reading_the_workflow_takes_nothing_but_snakemake(tmp_path):
    names = ("concrete", "alfi_poisson", "lynx_hare", "relearning_bowl")
    studies = [str(ROOT / f"config/studies/{name}.yaml") for name in names]
    for folder in ("config", "alone"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/data").symlink_to(ROOT / "config/data")
    linked_alone("snakemake", tmp_path / "alone")
    # Without site, nothing else that is installed can be imported.
    command = [sys.executable, "-S", "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1", "-n"]
    done = subprocess.run(
        [*command, "--config", f"studies={studies}"], capture_output=True, text=True, cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path / "alone")),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for words in ("each step checks the data and models that it reads", "This was a dry-run"):
        assert words in done.stdout + done.stderr
