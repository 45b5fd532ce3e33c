"""A list of experiments by the whole workflow: chosen, filled in as a workbook, and learned from."""

import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

from ..running import snakemake, study_argument, write_study

STUDY = """
study: {name}
problem:
  table: {{file: mixes.csv, outputs: ["Festigkeit [MPa]"]{new}}}
  inputs:
    "Zement [kg]": {{low: 0, high: 1}}
    Füller: {{low: 0, high: 1}}
    Körnung: {{categories: [fein, grob]}}
    "T (°C)": {{integer: true}}
  constraints: [{{linear: {{"Zement [kg]": 1, Füller: 1}}, equals: 1}}]
surrogates: {{linear: {{kind: linear}}}}
objectives: {{strongest: {{maximize: "Festigkeit [MPa]"}}, sixty: {{target: {{"Festigkeit [MPa]": 60}}, tolerance: 1}}}}
inverters: {{random: {{kind: random, evaluations: 50}}}}
next: {{experiments: 3}}
relearning: {{when: {{rows: 0}}}}
"""


def write_mixes(folder):
    rng = np.random.default_rng(0)
    a, kind, t = rng.random(30).round(2), rng.choice(["fein", "grob"], 30), rng.integers(60, 121, 30)
    y = 40 + 80 * a * (1 - a) - ((t - 95) / 15) ** 2 + 5 * (kind == "fein") + rng.normal(0, 1, 30)
    columns = {"Zement [kg]": a, "Füller": (1 - a).round(2), "Körnung": kind, "T (°C)": t, "Festigkeit [MPa]": y}
    pd.DataFrame(columns).to_csv(folder / "mixes.csv", index=False)


@pytest.mark.long
def test_a_list_is_chosen_filled_in_and_learned_from(tmp_path):
    write_mixes(tmp_path)
    write_study(tmp_path, STUDY.format(name="first", new=""), "first.yaml")
    done = snakemake(tmp_path, "results/first/next_experiments.csv", *study_argument("first.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    table = pd.read_csv(tmp_path / "results/first/next_experiments.csv")
    assert len(table) == 3 and (table["Zement [kg]"] + table["Füller"]).round(9).eq(1).all()

    book = openpyxl.load_workbook(tmp_path / "results/first/next_experiments.xlsx")
    column = [cell.value for cell in book.active[1]].index("Festigkeit [MPa]") + 1
    for row in (2, 3):
        book.active.cell(row, column).value = 60.0 + row
    book.save(tmp_path / "back.xlsx")
    write_study(tmp_path, STUDY.format(name="second", new=", new: [back.xlsx]"), "second.yaml")
    targets = ["results/second/next_experiments.csv", "results/second/relearning.html"]
    done = snakemake(tmp_path, *targets, *study_argument("second.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads((tmp_path / "results/second/round1/seed0/new.json").read_text(encoding="utf-8"))
    assert said == {"rows": 2, "sentences": ["back.xlsx: 1 row not filled in, left out"]}
    again = pd.read_csv(tmp_path / "results/second/next_experiments.csv")
    assert not set(again["recipe"]) & set(table["recipe"][:2])
    page = (tmp_path / "results/second/relearning.html").read_text(encoding="utf-8")
    assert "its error on 32 rows, each predicted by models that never saw it," in page
