"""Losses against numbers worked out by hand."""

import numpy as np
import pytest

from preimage.core.objective import Objective, build

from ..conftest import refusal

OUTPUTS = ["strength", "cost", "slump"]
REACH = [80.0, 5.0, 1.0]
Y = np.array([[58.0, 10.0, 3.0], [61.0, 30.0, -1.0], [70.0, 20.0, 0.0]])


def made(entry, spread=None, reach=None):
    return build("wish", entry, OUTPUTS, spread, reach)


@pytest.mark.parametrize(
    ("entry", "losses"),
    [
        ({"minimize": "cost"}, [10, 30, 20]),
        ({"minimize": {"cost": 2, "slump": -1}}, [17, 61, 40]),
        ({"maximize": "strength"}, [-58, -61, -70]),
        ({"maximize": {"strength": 1, "cost": -0.5}}, [-53, -46, -60]),
        ({"target": {"strength": 60}}, [4, 1, 100]),
        ({"target": {"strength": 60, "slump": 1}}, [(4 + 4) / 2, (1 + 4) / 2, (100 + 1) / 2]),
        ({"within": {"strength": [59, 61]}}, [1, 0, 81]),
        ({"within": {"slump": [0, 2], "strength": [50, 60]}}, [(1 + 0) / 2, (1 + 1) / 2, (0 + 100) / 2]),
    ],
)
def test_the_loss_of_each_kind(entry, losses):
    assert made(entry).loss(Y).tolist() == losses


def test_scaled_distances_are_in_standard_deviations_of_their_own_output():
    wanted = made({"target": {"strength": 60, "slump": 1}, "scaled": True}, spread=[2.0, 99.0, 4.0])
    assert wanted.loss(Y).tolist() == [(1 + 0.25) / 2, (0.25 + 0.25) / 2, (25 + 0.0625) / 2]
    band = made({"within": {"slump": [0, 2]}, "scaled": True}, spread=[2.0, 99.0, 4.0])
    assert band.loss(Y).tolist() == [0.0625, 0.0625, 0.0]


def test_a_constant_output_scales_by_one():
    wanted = made({"target": {"strength": 60}, "scaled": True}, spread=[0.0, 1.0, 1.0])
    assert wanted.loss(Y).tolist() == [4, 1, 100]


def test_without_scaled_the_spread_plays_no_part():
    assert made({"target": {"strength": 60}}, spread=[2.0, 1.0, 1.0]).loss(Y).tolist() == [4, 1, 100]


@pytest.mark.parametrize(
    ("entry", "met"),
    [
        ({"target": {"strength": 60}, "tolerance": 1}, [False, True, False]),
        ({"target": {"strength": 60}, "tolerance": 2}, [True, True, False]),
        ({"target": {"strength": 60, "cost": 10}, "tolerance": 2}, [True, False, False]),
        ({"within": {"strength": [58, 61]}, "tolerance": 100}, [True, True, False]),
        ({"within": {"strength": [58, 61], "cost": [20, 30]}}, [False, True, False]),
        ({"minimize": "cost", "tolerance": 9.9}, [True, False, False]),
        ({"minimize": "cost", "tolerance": 10}, [True, False, True]),
        ({"maximize": "strength", "tolerance": 9}, [False, True, True]),
    ],
)
def test_met_is_by_the_outputs_own_unit_even_when_the_loss_is_scaled(entry, met):
    for scaled in (False, True):
        assert made({**entry, "scaled": scaled}, spread=[0.1, 0.1, 0.1]).met(Y).tolist() == met


def test_met_against_the_best_that_others_found():
    wanted = made({"minimize": "cost", "tolerance": 5})
    assert wanted.met(Y, best=25.0).tolist() == [True, True, True]
    assert wanted.met(Y, best=4.0).tolist() == [False, False, False]


@pytest.mark.parametrize("kind", ["minimize", "maximize", "target", "within"])
def test_an_output_that_is_missing_has_no_loss_and_meets_nothing(kind):
    value = {"target": {"cost": 10}, "within": {"cost": [0, 20]}}.get(kind, "cost")
    wanted = made({kind: value, "tolerance": 1})
    missing = np.array([[1.0, np.nan, 1.0], [np.nan, 10.0, np.nan]])
    assert np.isnan(wanted.loss(missing)).tolist() == [True, False]
    assert wanted.met(missing).tolist() == [False, True]
    assert wanted.met(missing[:1]).tolist() == [False]


def test_the_default_tolerance_is_one_percent_of_the_rows_range():
    assert made({"target": {"strength": 60}}, reach=REACH).tolerance == (0.8,)
    assert made({"target": {"cost": 1, "slump": 1}}, reach=REACH).tolerance == (0.05, 0.01)
    assert made({"target": {"strength": 60}, "tolerance": 0}, reach=REACH).tolerance == (0,)
    assert made({"minimize": {"cost": -2}}, reach=REACH).tolerance == (0.1,)
    assert made({"minimize": "cost"}).tolerance == (0,)


def test_the_default_tolerance_of_a_sum_is_one_percent_of_the_sums_range():
    # 2 strength - cost is 106, 92, 120 in the rows.
    wanted = build("wish", {"maximize": {"strength": 2, "cost": -1}}, OUTPUTS, reach=REACH, rows=Y)
    assert wanted.tolerance == (pytest.approx(0.28),) and wanted.unit == pytest.approx(28)
    assert wanted.met(Y).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("entry", "tolerance"),
    [
        ({"target": {"strength": 60, "cost": 10}, "tolerance": {"strength": 2, "cost": 0.1}}, (2, 0.1)),
        ({"target": {"strength": 60, "cost": 10}, "tolerance": {"cost": 0.1}}, (0.8, 0.1)),
        ({"target": {"strength": 60, "cost": 10}, "tolerance": 3}, (3, 3)),
        ({"target": {"strength": 60, "cost": 10}, "tolerance": {}}, (0.8, 0.05)),
        ({"minimize": "cost", "tolerance": {"cost": 4}}, (4,)),
        ({"minimize": "cost", "tolerance": {}}, (0.05,)),
        ({"minimize": {"cost": 1, "slump": 1}, "tolerance": 4}, (4,)),
    ],
)
def test_tolerances_are_one_number_or_one_by_output(entry, tolerance):
    assert made(entry, reach=REACH).tolerance == tolerance


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_several_outputs_are_met_and_weighed_alike_in_any_unit(unit):
    """What meets a target of two outputs, and by how much it misses, does not depend on the unit of either."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (200, 3)) * [1, 5, 2] + 100
    other = rows * [1, unit, 1]
    entry = {"target": {"strength": 100.3, "cost": 101.0}, "tolerance": {"strength": 0.5}}
    moved = {**entry, "target": {"strength": 100.3, "cost": 101.0 * unit}}
    one, two = (build("o", e, OUTPUTS, Y.std(axis=0), np.ptp(Y, axis=0)) for e, Y in ((entry, rows), (moved, other)))
    np.testing.assert_allclose(one.loss(rows), two.loss(other), rtol=1e-9)
    assert one.met(rows).tolist() == two.met(other).tolist() and 0 < one.met(rows).sum() < 100
    assert np.isclose(one.enough, two.enough) and np.isclose(one.unit, two.unit)
    near = (abs(rows[:, 0] - 100.3) <= 0.5) & (abs(rows[:, 1] - 101) <= 0.01 * np.ptp(rows[:, 1]))
    np.testing.assert_array_equal(one.met(rows), near)


def test_several_outputs_are_weighed_by_their_spread_unless_the_study_says_otherwise():
    spread, entry = [2.0, 99.0, 4.0], {"target": {"strength": 60, "slump": 1}}
    assert made(entry, spread).loss(Y).tolist() == made({**entry, "scaled": True}, spread).loss(Y).tolist()
    assert made({**entry, "scaled": False}, spread).loss(Y).tolist() == made(entry).loss(Y).tolist()


def test_an_output_that_never_varies_neither_breaks_nor_rules_the_loss():
    entry = {"target": {"strength": 60, "slump": 5}}
    # The standard deviation of equal numbers may be a rounding.
    wanted = build("wish", entry, OUTPUTS, [2.0, 1.0, 1e-16], [80.0, 5.0, 0.0])
    assert wanted.scale == (2.0, 5.0) and wanted.tolerance == (0.8, 0.0) and np.isfinite(wanted.loss(Y)).all()
    assert build("wish", {"target": {"slump": 0}}, OUTPUTS, [2.0, 1.0, 0.0], [80.0, 5.0, 0.0]).met(Y)[2]


def test_losses_are_equal_by_what_the_rows_span_not_by_their_size():
    lowest = made({"minimize": "cost"}, reach=REACH)
    assert lowest.equal_to(1e8) == pytest.approx(1e8 + 5e-6, abs=1e-7)
    target = made({"target": {"cost": 10}}, reach=REACH)
    assert target.equal_to(0.0) == pytest.approx((5e-6) ** 2) and target.equal_to(4.0) > 4.0


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"minimize": "strenth"}, "objectives.wish.minimize: unknown output 'strenth'; did you mean 'strength'?"),
        ({"target": {"cst": 3}}, "objectives.wish.target: unknown output 'cst'; did you mean 'cost'?"),
        ({"within": {"cost": [3, 2]}}, "objectives.wish.within.cost: low 3 is above high 2"),
        (
            {"within": {"cost": [1234567.5, 1234567.25]}},
            "objectives.wish.within.cost: low 1234567.5 is above high 1234567.25",
        ),
        (
            {"target": {"cost": 3}, "tolerance": {"cst": 1}},
            "objectives.wish.tolerance: unknown output 'cst'; did you mean 'cost'?",
        ),
        ({"target": {"cost": 3}, "tolerance": {"strength": 1}}, "objectives.wish.tolerance: unknown output 'strength'"),
        (
            {"minimize": {"cost": 1, "slump": 2}, "tolerance": {"cost": 1}},
            "objectives.wish.tolerance: found one by output, expected a number: minimize takes their sum",
        ),
    ],
)
def test_wishes_that_cannot_be_are_refused(entry, said):
    assert said in refusal(made, entry)


def test_an_interval_of_one_value_is_a_wish_like_any_other():
    assert made({"within": {"cost": [10, 10]}}).loss(Y).tolist() == [0, 400, 100]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"minimize": "cost"}, "smallest cost"),
        ({"maximize": {"strength": 1, "cost": -0.5}}, "largest strength + -0.5 x cost"),
        ({"target": {"strength": 60}, "tolerance": 1}, "strength 60 MPa within 1"),
        ({"target": {"cost": 1234567.25}, "tolerance": 0.5}, "cost 1,234,567.25 within 0.5"),
        (
            {"target": {"cost": 1e-9, "slump": 5e5}, "tolerance": {"cost": 1e-11, "slump": 1e4}},
            "cost 1e-09 within 1e-11 and slump 500,000 within 10,000",
        ),
        ({"within": {"cost": [100000000.25, 100000000.75]}}, "cost from 100,000,000.25 to 100,000,000.75"),
        (
            {"within": {"strength": [55, 65]}, "fixed": {"curing_age": 28}},
            "strength from 55 to 65 MPa at curing age 28",
        ),
    ],
)
def test_in_words(entry, words):
    assert made(entry).words({"strength": "MPa"}) == words


def test_only_values_to_meet_are_bounded():
    bounded = {key: kind.bounded for key, kind in Objective.kinds.items()}
    directions = dict.fromkeys(["minimize", "maximize", "pareto", "fit"], False)
    assert bounded == {**directions, "target": True, "within": True}
