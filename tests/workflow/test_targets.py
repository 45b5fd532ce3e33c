"""Tables of targets through the whole workflow: one step a table, its rows ranked, re-simulated and reported."""

import numpy as np
import pandas as pd
import pytest

from preimage.problems.built_in import robot_arm

from ..finished import finished_study
from ..running import snakemake, study_argument

STUDY = """
study: many
problem: {simulator: robot_arm, samples: 300}
surrogates:
  gp: {kind: gaussian_process, hyperparameter_rows: 150, restarts: 1, folds: 2}
objectives:
  held_out: {test_rows: 12, tolerance: 0.01}
  wished: {targets: wanted.csv, tolerance: 0.05, committee: {trees: 50}}
inverters:
  batched: {kind: multistart, starts: 8, engine: batched}
  lookup: {kind: lookup, rows: 4}
"""


def write_targets(folder, last="0.1,1.5"):
    (folder / "wanted.csv").write_text(f"hand_y,hand_x\n0.7,1.2\n{last}\n50,50\n", encoding="utf-8")


pytestmark = pytest.mark.long
many = finished_study("many", STUDY, prepare=write_targets)


@pytest.fixture(scope="module")
def tables(many):
    results = many / "results/many"
    return pd.read_parquet(results / "candidates.parquet"), pd.read_csv(results / "best_of.csv")


def test_one_step_answers_a_whole_table(many):
    steps = pd.read_csv(many / "results/many/timings.csv")["step"]
    assert sorted(s for s in steps if s.startswith("invert")) == sorted(
        f"invert gp {entry} {inverter}" for entry in ("held_out", "wished") for inverter in ("batched", "lookup")
    )


def test_every_target_has_candidates_and_its_own_ranks(tables):
    candidates, _ = tables
    names = [*(f"held_out.{k}" for k in range(12)), *(f"wished.{k}" for k in range(3))]
    assert candidates["objective"].unique().tolist() == names
    for _, part in candidates.groupby(["objective", "inverter"]):
        ranks = part["rank"].dropna().astype(int)
        assert sorted(ranks) == list(range(1, len(ranks) + 1)) and len(ranks)


def test_targets_are_the_test_rows_and_the_truth_is_simulated(many, tables):
    candidates, best = tables
    test = pd.read_parquet(many / "results/many/round0/seed0/test.parquet")
    rows = test.iloc[np.linspace(0, len(test) - 1, 12).round().astype(int)]
    first = candidates[(candidates["inverter"] == "batched") & (candidates["rank"] == 1)]
    held = first[first["objective"].str.startswith("held_out")]
    X = held[[f"x.{n}" for n in robot_arm.build().inputs]].to_numpy()
    wanted = rows[["hand_x", "hand_y"]].to_numpy()
    # Each output counts in its own standard deviation, of the training rows.
    train = pd.read_parquet(many / "results/many/round0/seed0/train.parquet")
    unit = train[["hand_x", "hand_y"]].to_numpy().std(axis=0)
    error = (((robot_arm.build().simulate(X) - wanted) / unit) ** 2).mean(axis=1)
    assert held["simulated_loss"].to_numpy() == pytest.approx(error, rel=1e-9)
    r = best.set_index(["objective", "inverter", "T"])["r"]
    assert r["held_out", "batched", 1] == pytest.approx(error.mean(), rel=1e-9)
    assert r["held_out", "batched", 8] <= r["held_out", "batched", 1] < r["held_out", "lookup", 1]


def test_a_table_that_asks_for_one_is_ranked_by_the_committee(tables):
    candidates, _ = tables
    wished = candidates[candidates["objective"] == "wished.0"]
    predicted = wished[["predicted.hand_x", "predicted.hand_y"]].to_numpy()
    own = ((predicted - [1.2, 0.7]) ** 2).mean(axis=1)
    judged = wished["predicted_loss"].to_numpy()
    assert (np.abs(judged - own)[~np.isnan(judged)] > 0).any()
    # Far from the wish that no arm reaches (50, 50), searches end where nothing leads on.
    assert set(candidates["status"]) <= {"ok", "not_converged", "rejected"}


def test_the_report_has_a_row_a_method_and_warns_of_targets_never_seen(many):
    page = (many / "results/many/report.html").read_text(encoding="utf-8")
    assert "held out: 12 targets for hand x and hand y, from test rows" in page
    assert "wished: 3 targets for hand y and hand x, from wanted.csv, ranked by a committee of models" in page
    assert "1 of the targets of &#39;wished&#39; lie outside the measured range" in page
    assert "best_of.held_out.svg" in (many / "results/many/figures/captions.json").read_text()


@pytest.mark.long
def test_a_changed_file_of_targets_asks_that_table_again_and_nothing_else(many):
    write_targets(many, "0.1,1.4")
    done = snakemake(many, "--dry-run", *study_argument("many.yaml"))
    assert done.returncode == 0, done.stderr
    planned = [line for line in done.stdout.splitlines() + done.stderr.splitlines() if line.startswith("rule ")]
    assert planned.count("rule invert:") == 2 and "rule train:" not in planned
