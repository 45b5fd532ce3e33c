"""Editing code reruns the steps that run it, and those after them; nothing else."""

import re
import shutil
from functools import cache

import pytest

from ..running import ROOT, snakemake, study_argument


@pytest.fixture(scope="module")
def dry_run(tiny, tmp_path_factory):
    """Return a function of a file: what a dry-run of the finished study says where a line is added to that file, in a
    copy of the workflow."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("workflow", "config", "envs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", root)

    @cache
    def call(edited):
        path = root / "workflow" / edited
        before = path.read_text(encoding="utf-8")
        try:
            path.write_text(before + "\n# edited\n", encoding="utf-8")
            done = snakemake(tiny, *study_argument("tiny.yaml"), "-n", root=root)
        finally:
            path.write_text(before, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return call


AFTER_FIGURES = {"figures", "report"}
AFTER_INVERT = {"invert", "evidence", "gather", "diagnose", "timings", *AFTER_FIGURES}


@pytest.mark.parametrize(
    ("edited", "rules"),
    [
        pytest.param("preimage/figures/convergence.py", AFTER_FIGURES, marks=pytest.mark.long),
        pytest.param("preimage/reporting/words.py", {"report"}, marks=pytest.mark.long),
        pytest.param("preimage/reporting/figures.html", {"report"}, marks=pytest.mark.long),
        pytest.param(
            "preimage/surrogates/random_forest.py", {"train", "preimage", *AFTER_INVERT}, marks=pytest.mark.long
        ),
        ("preimage/inversion/hyperopt.py", AFTER_INVERT),
        pytest.param(
            "preimage/problems/built_in/paraboloid.py",
            {"generate", "split", "train", "preimage", *AFTER_INVERT},
            marks=pytest.mark.long,
        ),
        pytest.param("preimage/core/domain.py", AFTER_INVERT - {"invert"}, marks=pytest.mark.long),
        pytest.param("preimage/tracking/sender.py", set(), marks=pytest.mark.long),
    ],
)
def test_editing_reruns_the_steps_that_run_the_code(dry_run, edited, rules):
    said = dry_run(edited)
    assert set(re.findall(r"^(?:local)?rule (\w+):", said, re.M)) - {"all", "default"} == rules


def test_an_edited_method_reruns_only_its_own_searches(dry_run):
    said = dry_run("preimage/inversion/hyperopt.py")
    assert set(re.findall(r"wildcards: .*inverter=(\w+)", said)) == {"tpe"}
