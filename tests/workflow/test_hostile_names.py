"""Names that a user's file may have: HTML, formulas, quotes, signs of mathematics; through every step and page."""

import json
import re
from html.parser import HTMLParser

import mlflow
import numpy as np
import pandas as pd
import pytest

from ..running import snakemake, study_argument, write_study

pytestmark = pytest.mark.long

INPUTS = ["<script>alert(1)</script>", '=HYPERLINK("x")', "@$x_{", "--></svg><img src=x onerror=alert(2)>"]
OUTPUT = '+\'"y"&lt;<b>'
GRADES = ["=1+1", "<i>a</i>", "-2"]
STUDY = {
    "study": "hostile",
    "problem": {
        "table": {"file": "table.csv", "outputs": [OUTPUT]},
        "inputs": {"grade": {"categories": GRADES}, INPUTS[0]: {"unit": "<u>kg</u>"}},
        "formulas": {"=1+<b>f</b>": {"expression": f"2*`{INPUTS[0]}` + `{OUTPUT}`", "unit": "<u>EUR</u>"}},
    },
    "surrogates": {"forest": {"kind": "random_forest", "trees": 5, "folds": 2}},
    "objectives": {"lowest": {"minimize": OUTPUT}, "near": {"target": {OUTPUT: 1}, "tolerance": 1}},
    "inverters": {"random": {"kind": "random", "evaluations": 30}},
}


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("hostile") / "inside", json.dumps(STUDY), "hostile.yaml")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.uniform(size=(60, len(INPUTS))), columns=INPUTS)
    table["grade"] = rng.choice(GRADES, 60)
    table[OUTPUT] = table[INPUTS[0]] - (table["grade"] == GRADES[0])
    table.to_csv(folder / "table.csv", index=False)
    before = sorted(folder.parent.iterdir())
    done = snakemake(folder, *study_argument("hostile.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    assert sorted(folder.parent.iterdir()) == before
    written = {p.name for p in folder.iterdir()}
    assert written == {"hostile.yaml", "table.csv", "results", ".snakemake"}
    return folder


def test_the_report_holds_no_element_of_a_name(folder):
    page = (folder / "results/hostile/report.html").read_text(encoding="utf-8")
    elements = Elements(page).found
    assert {tag for tag, _ in elements} & {"img", "i", "b", "u", "iframe", "object"} <= {"b"}
    assert not [a for _, a in elements for name in a if name.startswith("on")]
    assert "<script>alert" not in page and "</svg><img" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_no_cell_of_a_csv_is_a_formula(folder):
    for path in (folder / "results/hostile").glob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        cells = [*table.columns, *table.to_numpy().ravel()]
        for cell in cells:
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), (path, cell)
            assert not cell.startswith("-") or re.fullmatch(r"-[\d.]+(e-?\d+)?", cell), (path, cell)
    found = pd.read_parquet(folder / "results/hostile/candidates.parquet")
    assert set(found["x.grade"]) <= set(GRADES)


def test_every_step_is_tracked_under_names_that_mlflow_takes(folder):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/results/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("hostile").experiment_id])
    assert len(runs) > 10 and {r.info.status for r in runs} == {"FINISHED"}
