"""A finished study of a table for two seeds.

The table is as spreadsheets of the European continent write it; it has categories, and the target is far from all rows.
"""

import numpy as np
import pandas as pd

from ..finished import finished_study

STUDY = """
study: mixed
seeds: [0, 1]
problem:
  table: {file: rows.csv, outputs: [y, z]}
  inputs: {kind: {categories: [red, blue]}}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2}, line: {kind: linear}}
objectives: {far: {target: {y: 900}, tolerance: 1}}
inverters:
  random: {kind: random, evaluations: 20}
  lookup: {kind: lookup, on: [line]}
"""


def spreadsheet():
    draws = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draws.uniform(size=30).round(6), "kind": np.where(np.arange(30) % 2, "red", "blue")})
    return frame.assign(y=frame["a"] + 5 * (frame["kind"] == "red"), z=-frame["a"])


def write(folder):
    spreadsheet().to_csv(folder / "rows.csv", index=False, sep=";", decimal=",", encoding="utf-8-sig")


mixed = finished_study("mixed", STUDY, prepare=write)
