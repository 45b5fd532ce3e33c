"""The shipped traps, each named by the report that falls into it, and a sound study that is accused of none."""

import re

import pandas as pd
import pytest

from ..finished import finished_study
from ..running import ROOT, snakemake, study_argument

PITFALLS = ROOT / "config/studies/pitfalls"
TRAPS = {
    "too_little_data": "Too little data",
    "unsuitable_model": "Unsuitable model",
    "too_many_inputs": "Too many inputs for the rows",
    "poor_optimum": "A search stuck in a poor optimum",
    "sparse_data": "Sparse data around the answer",
    "noise_as_signal": "Noise learned as signal",
    "no_solution": "No solution",
    "several_solutions": "Several solutions",
    "unstable_answer": "An unstable answer: the truth jumps",
}
# Where a study's name is not the finding's.
FINDING = {"poor_optimum": "poor_search"}

# A family whose last member is the trap.
FAMILY = (PITFALLS / "unsuitable_model.yaml").read_text(encoding="utf-8")
FAMILY = FAMILY.replace("unsuitable_model", "planes").replace(", dimension: 2, samples: 600", "")
FAMILY += "vary: {dimension: [1, 2], samples: [600]}\n"
UNSUITABLE = "planes_dimension2_samples600"


def diagnosis(folder, study):
    """What the study's report says in its diagnosis, and the table of its findings."""
    page = (folder / f"results/{study}/report.html").read_text(encoding="utf-8")
    part = re.search(r'<h2 id="diagnosis">(.*?)<details>', page, re.DOTALL)
    assert part
    return part[1], pd.read_csv(folder / f"results/{study}/diagnosis.csv")


def assert_named(folder, trap, study=None):
    said, table = diagnosis(folder, study or trap)
    assert TRAPS[trap] in said
    assert "found" in set(table.loc[table["finding"] == FINDING.get(trap, trap), "verdict"])


pytestmark = pytest.mark.long
planes = finished_study("planes", FAMILY, ["planes/variations.html", f"{UNSUITABLE}/report.html"])


def test_a_plane_through_a_bowl_is_called_unsuitable_and_nothing_else(planes):
    assert_named(planes, "unsuitable_model", UNSUITABLE)
    said, table = diagnosis(planes, UNSUITABLE)
    assert "a quadratic in the inputs predicts 99" in said
    assert TRAPS["too_little_data"] not in said and TRAPS["noise_as_signal"] not in said
    assert set(table["finding"]) == {FINDING.get(trap, trap) for trap in TRAPS} | {"rising_error"}


def test_a_file_that_varies_is_a_study_each_and_a_page_over_all(planes):
    table = pd.read_csv(planes / "results/planes/variations.csv")
    assert set(zip(table["dimension"], table["samples"], table["training_rows"], strict=True)) == {
        (d, n, round(0.7 * n)) for d in (1, 2) for n in (600,)
    }
    assert set(table["study"]) == {f"planes_dimension{d}_samples{n}" for d in (1, 2) for n in (600,)}
    assert (table["least_loss"] == 0).all() and table["distance"].between(0, 1).all()
    summary = pd.read_csv(planes / f"results/{UNSUITABLE}/summary.csv")
    mine = table[table["study"] == UNSUITABLE]
    assert mine["simulated_loss"].tolist() == pytest.approx(summary["simulated_loss"].tolist())
    distance = (summary[["x.x1", "x.x2"]] ** 2).sum(axis=1) ** 0.5 / 200 / 2**0.5
    assert mine["distance"].tolist() == pytest.approx(distance.tolist(), rel=0.1)
    page = (planes / f"results/{UNSUITABLE}/report.html").read_text(encoding="utf-8")
    assert "The true minimum is 0 at (0, 0)" in page
    page = (planes / "results/planes/variations.html").read_text(encoding="utf-8")
    assert (
        page.count("<svg") == 3
        and "420 training rows" in page
        and "../planes_dimension1_samples600/report.html" in page
    )


@pytest.mark.long
def test_every_trap_is_named_by_the_study_that_falls_into_it(tmp_path):
    done = snakemake(tmp_path, *study_argument(PITFALLS))
    assert done.returncode == 0, done.stderr[-4000:]
    assert {path.stem for path in PITFALLS.glob("*.yaml")} == {*TRAPS, "sound"}
    for trap in TRAPS:
        assert_named(tmp_path, trap)
    said, table = diagnosis(tmp_path, "sound")
    assert "none was found" in said and "found" not in set(table["verdict"])
    assert not [title for title in TRAPS.values() if f">{title}<" in said]
