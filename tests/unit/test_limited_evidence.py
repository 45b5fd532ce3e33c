"""Candidates under limits of outputs, from ranks to words: against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from preimage.core import candidates, objective
from preimage.core.space import Input, Space
from preimage.evidence import answer_findings, assess
from preimage.evidence.held_out import promise
from preimage.evidence.plateaus import by_case
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.inversion.question import Answer, Question
from preimage.inversion.table import frame
from preimage.reporting import words

SPACE = Space((Input("a", 0.0, 10.0),))
OUTPUTS = ["gain", "price"]
UNITS = {"price": "EUR"}


def made(entry):
    wanted = {**entry, "subject_to": {"price": {"at_most": 5.0}}}
    return objective.build("best", wanted, OUTPUTS, [1.0, 1.0], [10.0, 20.0], np.zeros((3, 2)))


BEST = made({"maximize": "gain"})
# Gain and price of five candidates at a = 1, ..., 5: two keep the limit, one misses it by little, two by much.
PREDICTED = np.array([[9.0, 7.0], [4.0, 5.0], [5.0, 4.0], [8.0, 15.0], [3.0, 15.0]])
TRUE = np.array([[9.0, 4.0], [4.0, 9.0], [6.0, 5.0], [8.0, 15.0], [3.0, 15.0]])


def found(predicted=PREDICTED, wanted=BEST, evaluations=1, inverter="tpe"):
    """Return the candidates table of one method that proposed a = 1, 2, ..."""
    n = len(predicted)
    X = np.arange(1.0, n + 1)[:, None]
    q = Question(SPACE, wanted, lambda X: predicted, X, predicted, np.arange(n))
    table = frame(Answer(X, [evaluations] * n, ["ok"] * n, [""] * n), predicted, q, OUTPUTS)
    table = table.assign(problem="p", round=0, seed=0, surrogate="forest", inverter=inverter)
    return table.assign(domain_score=0.5, in_domain=True)


def judged(tables, wanted=BEST, truth=TRUE):
    whole = pd.concat(tables, ignore_index=True)
    simulate = lambda X: truth[X[:, 0].astype(int) - 1]  # noqa: E731
    whole = assess.resimulate(whole, SPACE, simulate, {"best": wanted}, OUTPUTS)
    return candidates.typed(whole, ["a"], OUTPUTS)


def test_ranks_are_by_violation_then_loss_predicted_and_true():
    table = judged([found()])
    assert table["violation"].tolist() == [0.1, 0.0, 0.0, 0.5, 0.5]
    assert table["rank"].tolist() == [3, 2, 1, 4, 5]
    assert table["simulated_violation"].tolist() == [0.0, 0.2, 0.0, 0.5, 0.5]
    assert table["true_rank"].tolist() == [1, 3, 2, 4, 5]
    candidates.schema({"a": False}, OUTPUTS, ["violation"]).validate(table)


def test_a_study_without_limits_has_no_column_of_them():
    plain = objective.build("best", {"maximize": "gain"}, OUTPUTS)
    table = judged([found(wanted=plain)], plain)
    assert not {"violation", "simulated_violation"} & set(table)
    assert candidates.missed(table).tolist() == [0.0] * 5


def test_regret_hits_and_distinct_are_among_what_keeps_the_limits():
    # The other method's best gain is 4, and what has gain 9 costs too much.
    other = found(np.array([[9.0, 6.0], [4.0, 5.0]]), inverter="other")
    first, second = summarise(judged([found(), other]), SPACE, {"best": BEST}, OUTPUTS).to_dict("records")
    assert (first["predicted.gain"], first["violation"], first["optimizer_regret"]) == (5.0, 0.0, 0.0)
    assert (second["predicted.gain"], second["optimizer_regret"]) == (4.0, 1.0)
    assert [row["hits"] for row in (first, second)] == [1, 1]
    assert [row["distinct"] for row in (first, second)] == [1, 0]
    assert first["feasible"] == second["feasible"] == "yes"


def test_where_nothing_keeps_the_limits_the_nearest_leads_and_has_no_regret():
    missing = PREDICTED + np.array([0.0, 10.0])
    table = judged([found(missing)])
    (row,) = summarise(table, SPACE, {"best": BEST}, OUTPUTS).to_dict("records")
    assert (row["x.a"], row["violation"], row["feasible"]) == (3.0, 0.45, "undecided")
    assert np.isnan(row["optimizer_regret"]) and row["distinct"] == 0
    solved = distinct_solutions(table, SPACE, {"best": BEST}, OUTPUTS)
    assert solved["x.a"].tolist() == [3.0] and not solved["solves"].any()
    said = words.answer({**solved.iloc[0], "interval_low.gain": np.nan}, BEST, UNITS)
    assert said[0] == (
        "No method found inputs that keep every limit: at the nearest found, price misses its limit (at most 5) by "
        "9 EUR."
    )
    assert said[1] == "Forest predicts gain 5 and price 14 EUR."


def test_the_recommended_answer_keeps_the_limits_and_says_where_the_truth_does_not():
    truth = TRUE.copy()
    truth[2] = [6.0, 5.5]
    solved = distinct_solutions(judged([found()], truth=truth), SPACE, {"best": BEST}, OUTPUTS)
    assert solved["x.a"].tolist() == [3.0] and solved["solves"].all()
    said = words.answer({**solved.iloc[0], "interval_low.gain": np.nan}, BEST, UNITS)
    assert "In truth, price misses its limit (at most 5) by 0.5 EUR." in said


def test_a_target_that_is_met_where_a_limit_is_not_is_not_met():
    wanted = made({"target": {"gain": 9.0}, "tolerance": 1.0})
    table = judged([found(wanted=wanted)], wanted)
    (row,) = summarise(table, SPACE, {"best": wanted}, OUTPUTS).to_dict("records")
    # Gain 9 costs 7: what keeps the limit comes first, though it is no 9.
    assert (row["predicted.gain"], row["feasible"], row["distinct"]) == (5.0, "undecided", 0)


def test_plateaus_are_of_starts_that_keep_the_limits():
    ends = np.array([[5.0, 4.0], [5.0, 4.5], [5.0, 5.0], [9.0, 7.0], [9.0, 7.0], [9.0, 7.0]])
    (case,) = by_case(judged([found(ends, evaluations=9)], truth=ends), {"best": BEST})
    assert (case["starts"], case["missed"], case["count"]) == (3, 3, 1)
    assert case["plateaus"] == [{"size": 3, "loss": -5.0}]
    assert words.plateaus(case) == "of 3 starts (3 more missed a limit) 3 at loss -5"
    assert words.plateaus({"starts": 0, "missed": 6, "count": 0}) == "none of 6 starts kept every limit"


def test_a_method_that_misses_a_limit_that_others_keep_is_a_poor_search():
    row = {"predicted_loss": -9.0, "certified_bound": np.nan, "violation": 0.1, "feasible": "yes"}
    assert answer_findings.poor_search(row, BEST, -5.0).verdict == "found"
    assert answer_findings.poor_search({**row, "feasible": "undecided"}, BEST, -5.0).verdict == "found"
    assert answer_findings.poor_search({**row, "feasible": "undecided"}, BEST, np.nan).verdict == "unknown"
    assert answer_findings.no_solution("undecided", np.nan, BEST).verdict == "unknown"
    assert answer_findings.no_solution("yes", np.nan, BEST).verdict == "absent"


def test_held_out_rows_nearest_to_an_objective_keep_its_limits_by_prediction():
    found = promise(BEST, TRUE, PREDICTED, np.ones(5, bool))
    assert found["rows"] == 5
    few = promise(made({"target": {"gain": 9.0}, "tolerance": 5.0}), TRUE, PREDICTED, np.ones(5, bool))
    # Of what was measured, gains 9 and 6 are within 5 of 9 at a price of at most 5.
    assert few["met"] == 2


@pytest.mark.parametrize("limited", [True, False])
def test_the_table_of_another_objective_beside_has_no_violation(limited):
    other = objective.build("other", {"minimize": "price"}, OUTPUTS)
    tables = [found(wanted=other).assign(objective="other"), *([found()] if limited else [])]
    whole = candidates.typed(pd.concat(tables, ignore_index=True), ["a"], OUTPUTS)
    assert ("violation" in whole) == limited
    assert (candidates.missed(whole)[whole["objective"] == "other"] == 0).all()
