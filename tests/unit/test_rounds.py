"""What each round gained, and what the new rows say of the champion: tables, figures and pages."""

import numpy as np
import pandas as pd
import pytest

from preimage.core import objective
from preimage.data.rows import Rows
from preimage.evidence.by_round import Round, by_round
from preimage.figures import scale, style
from preimage.figures.gate_ratios import Gate, gate_ratios
from preimage.figures.round_courses import Course, round_courses
from preimage.relearning.judging import judged
from preimage.relearning.promotion import Challenger, relearned
from preimage.reporting.relearning import Outcome, context, verdict
from preimage.reporting.rounds import tables_of_rounds
from preimage.surrogates import intervals
from preimage.surrogates.kinds.random_forest import RandomForest

from ..conftest import refusal

WANTED = {"lowest": objective.build("lowest", {"minimize": "y"}, ["z", "y"])}
LOOKS = style.looks(["tpe", "lookup"], ["lookup"])


def known(*y):
    return np.column_stack([np.full(len(y), 100.0), y])


def summary(**more):
    rows = [
        {"round": k, "seed": s, "surrogate": "f", "objective": o, "inverter": "tpe", "predicted_loss": 1.0,
         "simulated_loss": 10.0 - 3 * k + s, "optimizer_regret": 0.5, "surrogate_regret": 9.0, "ignored": 7}
        for k in (0, 1) for s in (0, 1) for o in ("lowest", "many.0")
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**more)


def test_a_row_a_case_with_the_rows_there_were_and_the_best_of_them():
    about = {"f": {"test": {"y": {"rmse": 2.0}, "z": {"rmse": 9.0}}}}
    rounds = [Round(k, s, known(5.0, 4.0 - k, *[8.0] * k), about, WANTED) for k in (0, 1) for s in (0, 1)]
    found = by_round(rounds, summary())
    assert len(found) == 4 and "ignored" not in found
    assert found["rows"].tolist() == [2, 2, 3, 3] and found["best_known_loss"].tolist() == [4, 4, 3, 3]
    assert found["test_rmse"].eq(2.0).all() and found["simulated_loss"].tolist() == [10, 11, 7, 8]
    (table,) = tables_of_rounds(found)
    assert [r["simulated_loss"] for r in table["rows"]] == ["10.5", "7.5"] and table["rows"][1]["rows"] == 3
    assert tables_of_rounds(pd.DataFrame()) == []


def course(true, error=(3.0, 2.0)):
    k = len(true)
    return Course(np.arange(1, k + 1) * 100.0, *(np.array([v, v]).T for v in (true, [4.0] * k, error[:k])))


def test_the_figure_tells_where_each_method_came_from_and_got_to():
    shown = scale.of(WANTED["lowest"], {"y": "m"})
    figure = round_courses({("f", "tpe"): course([9.0, 5.0]), ("gp", "tpe"): course([8.0, 1.5])}, shown, "RMSE", LOOKS)
    assert "tpe on f from 9 to 5; tpe on gp from 8 to 1.5" in figure.get_label()
    assert [len(a.lines) for a in figure.axes] == [3, 2] and figure.axes[0].get_ylabel() == "true y (m)"
    # A table has no truth but its measurements: the error alone.
    alone = round_courses({("f", "tpe"): course([np.nan, np.nan])}, shown, "RMSE", LOOKS)
    assert len(alone.axes) == 1 and "Error on the test rows" in alone.get_label()
    assert round_courses({("f", "tpe"): course([9.0])}, shown, "RMSE", LOOKS) is None


def test_a_gate_is_a_line_at_its_ratio():
    figure = gate_ratios([Gate("round 1, f", 0.8, 0.7, 0.9, True), Gate("round 2, f", 1.1, 0.9, 1.2, False)])
    assert "round 1, f 0.8 [0.7, 0.9]" in figure.get_label() and gate_ratios([]) is None
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0.7, 0.9]


def test_the_page_names_the_champion_that_the_rounds_left():
    comparison = {"champion": 2.0, "challenger": 1.0, "low": 0.4, "high": 0.6, "rows": 40, "better": True}
    figures = {"new_rows": 40, "trained_rows": 60, "psi.a": 0.3, "drift_p_value.a": 0.01,
               "test_rmse.y": 1.0, "new_rmse.y": 2.0, "new_coverage.y": 0.5}  # fmt: skip
    said = {"model": "s.f", "reasons": ["better"], "champion_before": None, "comparison": None}
    decision = {"relearn": True, "reasons": ["drift"], "figures": figures, "champion": "1"}
    outcomes = [
        Outcome(0, 0, "f", None, {**said, "version": "1", "promoted": True}),
        Outcome(1, 0, "f", decision, {**said, "version": "2", "promoted": True, "comparison": comparison}),
        Outcome(2, 0, "f", decision, {**said, "version": "3", "promoted": False, "comparison": comparison}),
    ]
    found = context("s", outcomes, {1: ["2 rows are known already"], 2: []}, 1)
    assert found["champions"] == [{"model": "s.f", "version": "2", "round": 1}]
    assert [r["wanted"] for r in found["rows"]] == ["–", "yes", "yes"] and found["figure"].startswith("<svg")
    assert found["drifts"][0]["inputs"] == [("a", 0.3, 0.01)]
    assert found["drifts"][0]["outputs"] == [("y", 1.0, 2.0, 0.5)]
    assert found["said"] == [(1, ["2 rows are known already"])]


# -- the champion on rows that came after it ---------------------------------------------------------------------------

WHEN = {"rows": 0.1, "psi": 0.25, "p_value": 0.01, "error": 1.5, "coverage": 0.1}


def bowl(first, n, offset=0.0, inputs=("a", "b")):
    X = np.random.default_rng(first).uniform(-1, 1, (n, 2)) + offset
    return Rows(
        X, (X**2).sum(axis=1, keepdims=True), np.arange(first, first + n), list(inputs), ["y"], np.zeros(2, int)
    )


def together(a, b):
    parts = (np.concatenate([getattr(r, k) for r in (a, b)]) for k in ("X", "Y", "numbers"))
    return Rows(*parts, a.inputs, a.outputs, a.levels)


def register(store, folder, train, last_row):
    trained = RandomForest(trees=20, folds=3).train(train, np.random.default_rng(0))
    folder.mkdir()
    trained.save(folder)
    about = {
        "kind": "random_forest", "intervals": intervals.fit(train.Y, *trained.out_of_fold).to_dict(), "level": 0.9,
        "test": {"y": {"rmse": 0.1}},
    }  # fmt: skip
    new = Challenger("s.f", folder, trained.surrogate, about, train, {}, last_row=last_row)
    assert relearned(store, new, None, {}, np.random.default_rng(0))["promoted"]


def test_the_registered_champion_is_judged_on_the_rows_that_it_has_not_seen(store, tmp_path):
    first, gate = bowl(1, 200), bowl(900, 10, offset=3)
    empty = bowl(1, 0)
    assert judged(store, "s.f", first, empty, WHEN)["reasons"] == ["there is no champion yet"]
    # Row 250 was there already, in the gate: it is not new, though the champion did not train on it.
    register(store, tmp_path / "first", first, last_row=250)
    quiet = judged(store, "s.f", together(first, bowl(251, 5)), bowl(201, 50), WHEN)
    assert quiet["figures"]["new_rows"] == 5 and quiet["figures"]["trained_rows"] == 200 and quiet["champion"] == "1"
    assert not quiet["relearn"] and quiet["reasons"] == []
    loud = judged(store, "s.f", together(first, bowl(500, 40, offset=3)), gate, WHEN)
    assert loud["relearn"] and loud["figures"]["new_rows"] == 50 and loud["figures"]["psi.a"] > 1
    assert loud["figures"]["new_rmse.y"] > 5 and loud["figures"]["new_coverage.y"] < 0.2
    assert any("PSI" in r for r in loud["reasons"]) and any("25% of the 200" in r for r in loud["reasons"])


def test_a_champion_of_another_space_is_not_judged(store, tmp_path):
    register(store, tmp_path / "first", bowl(1, 50), last_row=50)
    said = refusal(judged, store, "s.f", bowl(1, 50, inputs=("a", "c")), bowl(51, 5, inputs=("a", "c")), WHEN)
    assert "was trained on another space" in said


def test_a_model_that_nothing_called_for_is_not_compared():
    reasons = ["not put up: there was no reason to train again"]
    said = {"comparison": None, "promoted": False, "champion_before": "1", "reasons": reasons}
    found = verdict(Outcome(1, 0, "f", None, said))
    assert "was not put up: there was no reason to train again; the champion stays" in found


@pytest.mark.parametrize(
    ("comparison", "promoted", "said"),
    [
        (None, True, "is the first champion: there was none to compare with."),
        (
            {"rows": 32, "champion": 2.0, "challenger": 1.5, "low": 0.6, "high": 0.9, "better": True, "crossed": True},
            True, "its error on 32 rows, each predicted by models that never saw it, is 25% smaller",
        ),
        ({"rows": 6, "champion": 2.0, "challenger": 1.0, "low": 0.0, "high": None}, False, "6 rows were kept apart"),
        (
            {"rows": 40, "champion": 2.0, "challenger": 1.5, "low": 0.6, "high": 0.9, "better": True}, True,
            "is better, beyond chance: its error on 40 rows that no model trained on is 25% smaller (0.60 to",
        ),
        (
            {"rows": 40, "champion": 2.0, "challenger": 1.9, "low": 0.8, "high": 1.1, "better": False}, False,
            "may be no better: its error on 40 rows that no model trained on is 5% smaller",
        ),
        (
            {"rows": 40, "champion": 2.0, "challenger": 3.0, "low": 1.2, "high": 1.8, "better": False}, False,
            "is worse, beyond chance: its error on 40 rows that no model trained on is 50% larger",
        ),
    ],
)  # fmt: skip
def test_one_sentence_says_whether_the_model_is_better_and_what_to_do(comparison, promoted, said):
    about = {"comparison": comparison, "promoted": promoted, "champion_before": None if promoted else "1"}
    found = verdict(Outcome(1, 0, "f", None, about))
    assert said in found and found.count(". ") <= 1
    assert ("use it" in found) == (promoted and comparison is not None)
