"""Finished studies that several modules read."""

import numpy as np
import pandas as pd

from ..finished import finished_study

# A table as spreadsheets of the European continent write it, with categories and a target far from all rows; two seeds.
MIXED = """
study: mixed
seeds: [0, 1]
problem:
  table: {file: rows.csv, outputs: [y, z]}
  inputs: {kind: {categories: [red, blue]}}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2, tune: {evaluations: 2}}, line: {kind: linear}}
objectives: {far: {target: {y: 900}, tolerance: 1}}
inverters:
  random: {kind: random, evaluations: 20}
  lookup: {kind: lookup, on: [line]}
"""


def spreadsheet():
    draws = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draws.uniform(size=30).round(6), "kind": np.where(np.arange(30) % 2, "red", "blue")})
    return frame.assign(y=frame["a"] + 5 * (frame["kind"] == "red"), z=-frame["a"])


def write_rows(folder):
    spreadsheet().to_csv(folder / "rows.csv", index=False, sep=";", decimal=",", encoding="utf-8-sig")


mixed = finished_study("mixed", MIXED, prepare=write_rows)


# A round of relearning, asked for the least of a formula, and for inputs that vary.
ROUNDS = """
study: rounds
seed: 0
problem:
  simulator: paraboloid
  dimension: 2
  samples: 60
  noise: {sd: 1}
  inputs: {x1: {low: -100, high: 100}, x2: {low: -100, high: 100}}
  formulas: {price: {expression: "0.1*x1 + 30", unit: EUR}, value: {expression: "price / (y + 1000)"}}
split: {method: hold_out}
surrogates: {forest: {kind: random_forest, trees: 10, folds: 2, tune: {evaluations: 2}}}
objectives:
  best: {minimize: value}
  steady: {within: {price: {at_most: 33}}, variation: {x1: "10 %"}}
inverters:
  random: {kind: random, evaluations: 50, on: [forest]}
  direct: {kind: multistart, starts: 2, gradient: cs, on: [simulator]}
rounds: 1
relearning: {simulations: 10, explore: 0.2, gate: 0.2}
"""
rounds = finished_study("rounds", ROUNDS, ["rounds/report.html", "rounds/relearning.html"])
