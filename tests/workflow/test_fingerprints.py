"""Editing code reruns the steps that run it, and those after them; nothing else."""

import re
import shutil

import pytest

from ..running import ROOT, snakemake, study_argument, write_study

SMALL = """
study: small
problem: {simulator: paraboloid, dimension: 2, samples: 60}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2}}
objectives: {lowest: {minimize: y}}
inverters: {random: {kind: random, evaluations: 5}, tpe: {kind: hyperopt, evaluations: 5}}
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the workflow with a finished study beside it."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("workflow", "config", "envs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", root)
    write_study(root, SMALL, "small.yaml")
    done = snakemake(root, *study_argument("small.yaml"), root=root)
    assert done.returncode == 0, done.stderr[-4000:]
    return root


def dry_run(root, edited):
    """Return what a dry-run says after a line is added to a file (which is then taken back)."""
    path = root / "workflow" / edited
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(before + "\n# edited\n", encoding="utf-8")
        done = snakemake(root, *study_argument("small.yaml"), "-n", root=root)
    finally:
        path.write_text(before, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


AFTER_FIGURES = {"figures", "report"}
AFTER_INVERT = {"invert", "evidence", "gather", "diagnose", "timings", *AFTER_FIGURES}


@pytest.mark.parametrize(
    ("edited", "rules"),
    [
        ("preimage/figures/convergence.py", AFTER_FIGURES),
        ("preimage/reporting/words.py", {"report"}),
        ("preimage/reporting/figures.html", {"report"}),
        ("preimage/surrogates/random_forest.py", {"train", *AFTER_INVERT}),
        ("preimage/inversion/tpe_search.py", AFTER_INVERT),
        ("preimage/problems/paraboloid.py", {"generate", "split", "train", *AFTER_INVERT}),
        ("preimage/evidence/domain.py", {"evidence", "gather", "diagnose", "timings", *AFTER_FIGURES}),
        ("preimage/tracking/sender.py", set()),
    ],
)
def test_editing_reruns_the_steps_that_run_the_code(copy, edited, rules):
    said = dry_run(copy, edited)
    assert set(re.findall(r"^(?:local)?rule (\w+):", said, re.M)) - {"all", "default"} == rules


def test_an_edited_method_reruns_only_its_own_searches(copy):
    said = dry_run(copy, "preimage/inversion/tpe_search.py")
    assert set(re.findall(r"wildcards: .*inverter=(\w+)", said)) == {"tpe"}
