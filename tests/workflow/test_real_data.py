"""Real data that is not shipped: read from the folder that PREIMAGE_TEST_DATA names, skipped without it."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from preimage.surrogates import random_forest

from ..finished import finished_study

FOLDER = os.environ.get("PREIMAGE_TEST_DATA")
if FOLDER is None:
    pytest.skip("PREIMAGE_TEST_DATA names no folder of real data", allow_module_level=True)

MIXTURE = """
study: mixture
problem:
  table: {file: photo.csv, outputs: [degradation]}
  inputs:
    mat_1: {low: 0, high: 1}
    mat_2: {low: 0, high: 1}
    mat_3: {low: 0, high: 1}
    mat_4: {low: 0, high: 1}
  constraints:
    - {linear: {mat_1: 1, mat_2: 1, mat_3: 1, mat_4: 1}, equals: 1}
surrogates: {forest: {kind: random_forest, trees: 20}}
objectives:
  least: {minimize: degradation}
  half: {target: {degradation: 0.5}, tolerance: 0.02}
inverters:
  starts: {kind: multistart, starts: 5}
  certified: {kind: certified, boxes: 20000}
"""
PARTS = ["x.mat_1", "x.mat_2", "x.mat_3", "x.mat_4"]


TABLES = ["mixture/candidates.parquet", "mixture/summary.csv"]


def rows():
    """The photodegradation of a four-component polymer blend (the file has no titles)."""
    names = ["mat_1", "mat_2", "mat_3", "mat_4", "degradation"]
    return pd.read_csv(Path(FOLDER) / "photo_pce10" / "data.csv", header=None, names=names)


pytestmark = pytest.mark.long
mixture = finished_study("mixture", MIXTURE, TABLES, lambda folder: rows().to_csv(folder / "photo.csv", index=False))


def test_every_proposed_mixture_sums_to_one(mixture):
    found = pd.read_parquet(mixture / "results/mixture/candidates.parquet")
    starts = found["inverter"] == "starts"  # on a forest, which is flat wherever they are
    assert (found[~starts]["status"] == "ok").all() and len(found) == 2 * (5 + 1 + 1)
    assert found[starts]["status"].isin(["ok", "not_converged"]).all()
    # Equalities hold to 1e-9 of the row's scale: the largest sum of terms that the bounds allow, here 4.
    assert (found[PARTS].sum(axis=1) - 1).abs().max() < 4e-9
    assert found[PARTS].min().min() >= 0 and found[PARTS].max().max() <= 1


def test_a_search_is_no_worse_than_the_best_row_by_the_models_own_word(mixture):
    summary = pd.read_csv(mixture / "results/mixture/summary.csv").set_index(["objective", "inverter"])
    for objective in ("least", "half"):
        found = summary.loc[(objective, "starts"), "predicted_loss"]
        assert found <= summary.loc[(objective, "lookup"), "predicted_loss"] + 1e-12


def test_what_is_proven_of_mixtures_is_contradicted_by_no_mixture(mixture):
    """By scikit-learn's own word, on mixtures drawn uniformly, on the edges, and those that other methods proposed."""
    summary = pd.read_csv(mixture / "results/mixture/summary.csv").set_index(["objective", "inverter"])
    model = random_forest.load(mixture / "results/mixture/round0/seed0/surrogates/forest/model")
    rng = np.random.default_rng(0)
    points = [rng.dirichlet(np.full(4, a), 50_000) for a in (0.1, 0.5, 1.0)]
    found = pd.read_parquet(mixture / "results/mixture/candidates.parquet")
    predicted = model.predict(np.concatenate([*points, rows().iloc[:, :4].to_numpy(), found[PARTS].to_numpy()]))[:, 0]
    least = summary.loc[("least", "certified")]
    assert least["certified_bound"] <= predicted.min() and least["optimizer_regret"] == 0
    assert least["gap"] <= 1e-12 * max(1, abs(least["certified_bound"]))
    half = summary.loc[("half", "certified")]
    assert half["feasible"] == "yes" and half["certified_bound"] <= ((predicted - 0.5) ** 2).min()


def test_repeats_of_one_mixture_stay_on_one_side_of_the_split(mixture):
    assert rows().iloc[:, :4].duplicated().any()
    train, test = (pd.read_parquet(mixture / f"results/mixture/round0/seed0/{p}.parquet") for p in ("train", "test"))
    names = ["mat_1", "mat_2", "mat_3", "mat_4"]
    assert len(train.merge(test, on=names)) == 0 and len(train) + len(test) == len(rows())
