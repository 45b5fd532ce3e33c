"""Evidence against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from preimage.core import candidates, objective
from preimage.core.space import Input, Space
from preimage.evidence import assess, judge
from preimage.evidence.held_out import promise
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.problems.built_in import paraboloid

SPACE = Space((Input("x1", -100, 100), Input("x2", -100, 100)))
LOWEST = objective.build("lowest", {"minimize": "y"}, ["y"], [1.0], [100.0])  # as good: within 1 of the best
RING = objective.build("ring", {"target": {"y": 100}, "tolerance": 10}, ["y"])


def rows(points, predicted, wanted, inverter="a", surrogate="forest"):
    """Candidates of one case, ranked, with a domain score that grows with the distance from the origin."""
    X, Y = np.array(points, float), np.array(predicted, float)[:, None]
    loss = pd.Series(wanted.loss(Y))
    score = np.minimum(1.0, np.linalg.norm(X, axis=1) / 100)
    return pd.DataFrame(
        {
            "problem": "p", "round": 0, "seed": 0, "surrogate": surrogate, "objective": wanted.name,
            "inverter": inverter, "start": range(len(X)), "rank": candidates.ranked(loss, [loss * 0]),
            "x.x1": X[:, 0], "x.x2": X[:, 1], "predicted.y": Y[:, 0], "predicted_loss": loss,
            "domain_score": score, "in_domain": score <= 0.95, "evaluations": 1, "status": "ok", "message": "",
        }
    )  # fmt: skip


def judged(parts, objectives):
    table = pd.concat(parts, ignore_index=True)
    table = assess.resimulate(table, SPACE, paraboloid.build(2).simulate, objectives, ["y"])
    return candidates.typed(table, ["x1", "x2"], ["y"])


def test_resimulation_fills_the_truth_and_ranks_by_it():
    table = judged([rows([[3, 4], [0, 1], [6, 8]], [10, 20, 30], LOWEST)], {"lowest": LOWEST})
    assert list(table["simulated.y"]) == [25, 1, 100]
    assert list(table["rank"]) == [1, 2, 3]
    assert list(table["true_rank"]) == [2, 1, 3]


def test_equal_points_are_simulated_once():
    calls = []

    def simulate(X):
        calls.append(len(X))
        return paraboloid.build(2).simulate(X)

    table = rows([[3, 4], [3, 4], [0, 1]], [1, 2, 3], LOWEST)
    assess.resimulate(table, SPACE, simulate, {"lowest": LOWEST}, ["y"])
    assert calls == [2]


def test_regret_is_split_between_search_and_model():
    parts = [
        rows([[3, 4], [0, 1]], [10, 20], LOWEST, "good"),
        rows([[6, 8]], [30], LOWEST, "poor"),
        rows([[0, 0]], [0], LOWEST, "direct", "simulator"),
    ]
    summary = summarise(judged(parts, {"lowest": LOWEST}), SPACE, {"lowest": LOWEST}, ["y"]).set_index("inverter")
    assert summary.loc["good", ["optimizer_regret", "surrogate_regret"]].tolist() == [0, 25 - 10]
    # P* is that of the same surrogate: the simulator's own answer does not count against the forest's searches.
    assert summary.loc["poor", ["optimizer_regret", "surrogate_regret"]].tolist() == [20, 100 - 30]
    assert summary.loc["direct", ["optimizer_regret", "surrogate_regret"]].tolist() == [0, 0]
    assert summary["gap"].isna().all() and summary["certified_bound"].isna().all()


def test_hits_distinct_and_feasible_are_counted_by_what_the_surrogate_says():
    points = [[10, 0], [10.1, 0], [-10, 0], [0, 50], [30, 0]]
    table = judged([rows(points, [100, 100, 105, 95, 500], RING)], {"ring": RING})
    (row,) = summarise(table, SPACE, {"ring": RING}, ["y"]).to_dict("records")
    assert row["hits"] == 2  # two predict 100 exactly
    assert row["distinct"] == 3  # (10, 0) and (10.1, 0) are one place; -10 is 0.1 of the range away; (0, 50)
    assert row["feasible"] == "yes"
    none = judged([rows([[30, 0]], [500], RING)], {"ring": RING})
    assert summarise(none, SPACE, {"ring": RING}, ["y"])["feasible"].tolist() == ["undecided"]


def test_a_case_without_any_answer_is_still_a_row():
    table = rows([[1, 1]], [np.nan], LOWEST).assign(**{"status": "no_answer", "x.x1": np.nan, "x.x2": np.nan})
    summary = summarise(judged([table], {"lowest": LOWEST}), SPACE, {"lowest": LOWEST}, ["y"])
    assert len(summary) == 1 and summary["feasible"].tolist() == ["undecided"]
    assert summary["predicted_loss"].isna().all()


def test_the_recommended_answer_is_inside_the_domain_though_a_lower_loss_lies_outside():
    table = judged([rows([[99, 0], [50, 0], [0, 10]], [5, 5.5, 5.2], LOWEST)], {"lowest": LOWEST})
    best = distinct_solutions(table, SPACE, {"lowest": LOWEST}, ["y"]).iloc[0]
    assert best["x.x2"] == 10 and best["predicted.y"] == 5.2


def test_where_all_meet_a_target_the_one_nearest_to_the_data_is_recommended():
    parts = [rows([[80, 0], [20, 0]], [100, 108], RING, "a"), rows([[20.5, 0]], [101], RING, "b")]
    found = distinct_solutions(judged(parts, {"ring": RING}), SPACE, {"ring": RING}, ["y"])
    assert found["x.x1"].tolist() == [20, 80]
    assert found["found_by"].tolist() == ["a, b", "a"] and found["cluster_size"].tolist() == [2, 1]
    assert found["solves"].all()


def test_where_nothing_meets_the_objective_the_nearest_is_shown_and_said_not_to_solve_it():
    table = judged([rows([[80, 0], [20, 0]], [500, 300], RING)], {"ring": RING})
    found = distinct_solutions(table, SPACE, {"ring": RING}, ["y"])
    assert found["predicted.y"].tolist() == [300] and not found["solves"].any()


def test_the_truth_never_decides_what_is_recommended():
    table = judged([rows([[0, 1], [3, 4]], [20.5, 20], LOWEST)], {"lowest": LOWEST})
    swapped = table.assign(simulated_loss=-table["simulated_loss"], true_rank=table["true_rank"][::-1].to_numpy())
    first, second = (distinct_solutions(t, SPACE, {"lowest": LOWEST}, ["y"]) for t in (table, swapped))
    assert first["x.x1"].tolist() == second["x.x1"].tolist()


def test_candidate_coverage_tells_all_from_the_first_ten():
    n = 30
    table = rows([[k, 0] for k in range(n)], range(n), LOWEST)
    table = judged([table], {"lowest": LOWEST}).assign(**{"interval_low.y": -1.0, "interval_high.y": 400.0})
    found = assess.candidate_coverage(table, ["y"])["forest"]
    assert found["first"] == {"rows": 10, "coverage": [1.0]}
    assert found["all"]["coverage"] == [pytest.approx(21 / 30)]  # k squared is at most 400 for k up to 20


def test_held_out_rows_are_those_that_the_model_places_nearest():
    Y = np.arange(100.0)[:, None]
    predicted = Y + 5
    wanted = objective.build("t", {"target": {"y": 50}, "tolerance": 5}, ["y"])
    found = promise(wanted, Y, predicted, np.ones(100, bool))
    assert found["rows"] == 20
    assert found["predicted"][0] == pytest.approx(50, abs=0.5) and found["measured"][0] == pytest.approx(45, abs=0.5)
    assert found["rmse"] == [5.0]
    assert found["met"] == int((np.abs(np.sort(Y[:, 0])[35:55] - 50) <= 5).sum())
    assert promise(wanted, Y, predicted, np.zeros(100, bool))["rows"] == 0


def test_the_distance_to_a_known_minimum_is_that_of_the_recommended_answer():
    table = judged([rows([[3, 4], [60, 80]], [10, 20], LOWEST)], {"lowest": LOWEST})
    solutions = distinct_solutions(table, SPACE, {"lowest": LOWEST}, ["y"])
    found = judge._known_minimum(solutions, SPACE, {"lowest": LOWEST}, paraboloid.build(2))["lowest"]
    (answer,) = found["answers"]
    assert answer["excess"] == 25 and answer["distance"] == pytest.approx(5 / 200)
    narrow = Space((Input("x1", 1, 100), Input("x2", -100, 100)))
    assert judge._known_minimum(solutions, narrow, {"lowest": LOWEST}, paraboloid.build(2)) == {}
