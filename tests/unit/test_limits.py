"""Limits of outputs: violations by hand, the order in which candidates come, and what contradicts itself."""

import numpy as np
import pytest

from preimage.core.objective import Within, build

from ..conftest import BOWL, refusal

OUTPUTS = ["strength", "cost", "slump"]
REACH = [80.0, 5.0, 2.0]
Y = np.array([[58.0, 10.0, 3.0], [61.0, 30.0, -1.0], [70.0, 20.0, 0.0]])
KEPT = {"cost": {"at_most": 20}, "slump": {"at_least": 0, "at_most": 2}}


def made(entry, reach=REACH, rows=None):
    return build("wish", entry, OUTPUTS, None, reach, rows)


def test_a_violation_is_the_largest_distance_in_ranges_and_exactly_zero_inside():
    wanted = made({"maximize": "strength", "subject_to": KEPT})
    assert wanted.violation(Y).tolist() == [0.5, 2.0, 0.0]
    edges = np.array([[0, 20.0, 2.0], [0, np.nextafter(20, 21), 2.0], [0, 20.0, -5e-324]])
    assert (wanted.violation(edges) > 0).tolist() == [False, True, True]
    assert np.isnan(wanted.violation(np.array([[1.0, np.nan, 1.0]]))).all()


def test_without_limits_nothing_is_violated_and_the_merit_is_the_loss():
    wanted = made({"maximize": "strength"})
    assert wanted.violation(Y).tolist() == [0, 0, 0] and wanted.merit(Y).tolist() == wanted.loss(Y).tolist()


@pytest.mark.parametrize("kind", ["minimize", "maximize", "target", "within"])
@pytest.mark.parametrize(("factor", "shift"), [(1, 0), (1e9, 0), (1e-9, 0), (1, 1e4)])
def test_merit_orders_by_feasibility_then_loss_whatever_the_unit(kind, factor, shift):
    rng = np.random.default_rng(1)
    rows = rng.normal(60, 20, (200, 3))
    value = {"target": {"strength": 60 * factor + shift}, "within": {"strength": [40 * factor + shift, 1e12]}}
    entry = {kind: value.get(kind, "strength"), "subject_to": {"cost": {"at_most": 55}, "slump": {"at_least": 50}}}
    scaled = np.column_stack([rows[:, 0] * factor + shift, rows[:, 1:]])
    wanted = build("wish", entry, OUTPUTS, scaled.std(axis=0), np.ptp(scaled, axis=0), scaled)
    order = np.lexsort((wanted.loss(scaled), wanted.violation(scaled)))
    assert 0 < (wanted.violation(scaled) == 0).sum() < 200
    ranks = np.argsort(wanted.merit(scaled), kind="stable")
    # Where losses are equal, either may come first.
    for part in (wanted.violation(scaled), wanted.loss(scaled)):
        np.testing.assert_allclose(part[ranks], part[order], rtol=1e-12)
    kept = wanted.violation(scaled) == 0
    back = [wanted.loss_of_merit(m) for m in wanted.merit(scaled)]
    np.testing.assert_allclose(np.array(back)[kept], wanted.loss(scaled)[kept], atol=1e-9 * wanted.loss_unit)
    assert np.isinf(np.array(back)[~kept]).all()


@pytest.mark.parametrize(
    ("entry", "met"),
    [
        ({"target": {"strength": 60}, "tolerance": 2}, [False, False, False]),
        ({"target": {"strength": 60}, "tolerance": 10}, [False, False, True]),
        ({"within": {"strength": {"at_least": 60}}}, [False, False, True]),
        ({"minimize": "strength", "tolerance": 100}, [False, False, True]),
        ({"minimize": "cost", "tolerance": 0}, [False, False, True]),
    ],
)
def test_only_what_keeps_the_limits_meets_an_objective(entry, met):
    assert made({**entry, "subject_to": KEPT}).met(Y).tolist() == met


@pytest.mark.parametrize(
    ("interval", "losses", "words"),
    [
        ({"at_least": 60}, [4, 0, 0], "strength at least 60"),
        ({"at_most": 60}, [0, 1, 100], "strength at most 60"),
        ({"at_least": 59, "at_most": 60}, [1, 1, 100], "strength from 59 to 60"),
    ],
)
def test_an_interval_may_have_one_end(interval, losses, words):
    wanted = made({"within": {"strength": interval}})
    assert wanted.loss(Y).tolist() == losses
    assert wanted.met(Y).tolist() == [loss == 0 for loss in losses]
    assert wanted.words() == words
    both = [interval.get("at_least", -np.inf), interval.get("at_most", np.inf)]
    assert wanted.slope(Y).tolist() == made({"within": {"strength": both}}).slope(Y).tolist()
    narrow = wanted.narrowed(np.array([10.0, 1.0, 1.0]))
    assert isinstance(narrow, Within) and np.isfinite(narrow.loss(Y)).all()


def test_the_words_of_an_objective_name_its_limits():
    wanted = made({"maximize": "strength", "subject_to": {"cost": {"at_most": 5.5}, **KEPT}, "fixed": {"age": 28}})
    assert wanted.words() == "largest strength with cost at most 20 and slump 0 to 2 at age 28"
    assert "cost at most 20 EUR and" in wanted.words({"cost": "EUR"})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"subject_to": {"cots": {"at_most": 1}}}, "subject_to: unknown output 'cots'; did you mean 'cost'?"),
        ({"subject_to": {"cost": {"at_least": 2, "at_most": 1}}}, "subject_to.cost: at_least 2 is above at_most 1"),
        ({"subject_to": {"cost": {"at_least": 2, "at_most": 2}}}, "at_least and at_most are both 2, which no search"),
        (
            {"subject_to": {"strength": {"at_most": 50}}},
            "subject_to.strength: found at most 50, which excludes what is wanted of this output: 60",
        ),
        (
            {"within": {"strength": {"at_least": 70}}, "subject_to": {"strength": {"at_most": 50}}},
            "found at most 50, which excludes what is wanted of this output: at least 70",
        ),
    ],
)
def test_limits_that_leave_no_room_are_refused(entry, said):
    if "within" not in entry:
        entry = {"target": {"strength": 60}, **entry}
    assert said in refusal(made, entry)


def test_a_target_that_a_row_of_a_table_excludes_names_the_row():
    message = refusal(build, "many.4", {"target": {"cost": 9}, "subject_to": {"cost": {"at_most": 5}}}, OUTPUTS)
    assert message == (
        "objectives.many.subject_to.cost: found at most 5, which excludes what is wanted of this output in row 5: 9"
    )


LIMITED = BOWL.replace("{minimize: y}", "{WISH}").replace("}}\n", "}}\nsurrogates: {f: {kind: random_forest}}\n")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("minimize: y, subject_to: {}", "key 'objectives.lowest.subject_to': {} should be non-empty"),
        ("minimize: y, subject_to: {y: {}}", "subject_to.y': found keys none; expected at least one of at_least | at"),
        ("minimize: y, subject_to: {y: {at_last: 1}}", "unknown key; did you mean 'at_least'?"),
        ("minimize: y, subject_to: {y: 5}", "subject_to.y': found the number 5, expected a mapping"),
        ("minimize: y, subject_to: {y: {at_least: high}}", "at_least': found text 'high', expected a number"),
        ("within: {y: {}}", "within.y': found keys none; expected at least one of at_least | at_most"),
        ("within: {y: 5}", "within.y': found the number 5, expected a list or a mapping"),
        ("test_rows: 3, subject_to: {y: {at_most: 5}}", "test_rows takes the values of every output as they are"),
    ],
)
def test_a_study_whose_limits_make_no_sense_is_refused(refused, wish, said):
    assert said in refused(LIMITED.replace("WISH", wish))
