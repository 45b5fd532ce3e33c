"""Each trap found in numbers that were planted for it, and not in numbers that are sound."""

import json

import numpy as np
import pandas as pd
import pytest

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.evidence import answer_findings as answers
from preimage.evidence import findings
from preimage.evidence import model_findings as models
from preimage.evidence.findings import ABSENT, FOUND, UNKNOWN

LOWEST = objective.build("lowest", {"minimize": "y", "tolerance": 1}, ["y"])
TARGET = objective.build("target", {"target": {"y": 5}, "tolerance": 0.5}, ["y"])
SQUARE = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))


def learning(errors, rows=(50, 100, 200), last=(1.0, 0.01), inputs=None):
    curve = [{"rows": n, "error": [e]} for n, e in zip(rows, errors, strict=True)]
    gained = [{"gain": [e - errors[-1]], "error": [last[1]]} for e in errors[:-1]]
    return {"curve": curve, "gained": gained, "last": {"gain": [last[0]], "error": [last[1]]}, "inputs": inputs}


# -- models ------------------------------------------------------------------------------------------------------------


def test_a_curve_that_still_falls_is_too_little_data_and_says_what_the_next_doubling_brings():
    found = models.too_little_data(learning([8.0, 6.0, 4.5], last=(1.5, 0.1)), 10.0, 0)
    # The last doubling took off 1.5, three quarters of the one before: the next is expected to take off 1.125 of 10.
    assert found.verdict == FOUND and found.measured == pytest.approx(0.1125)
    assert found.details["rows"] == [50, 100, 200]


@pytest.mark.parametrize(
    ("curve", "why"),
    [
        (learning([8.0, 4.1, 4.0], last=(0.1, 0.01)), "it is flat"),
        (learning([0.08, 0.06, 0.045], last=(0.015, 0.001)), "it falls, but there is nothing left to explain"),
        (learning([8.0, 6.0, 4.5], last=(1.5, 1.0)), "the fall may be chance"),
        (learning([4.0, 4.5, 6.0], last=(-1.5, 0.1)), "it rises"),
    ],
)
def test_a_curve_that_does_not_fall_to_any_purpose_is_no_lack_of_data(curve, why):
    assert models.too_little_data(curve, 10.0, 0).verdict == ABSENT, why


def test_a_curve_that_rises_is_named_with_what_the_further_rows_cost():
    found = models.rising_error(learning([4.0, 4.5, 6.0], last=(-1.5, 0.1)), 10.0, 0)
    # With the fewest rows the squared error was 4 of a variance of 10, with all of them it is 6.
    assert found.verdict == FOUND and found.measured == pytest.approx(0.2)
    assert found.details["rows"] == [50, 100, 200] and found.details["rmse"][0] == 2.0
    # It fell at first, and then rose by more than at the start.
    assert models.rising_error(learning([5.0, 4.0, 6.0], last=(-2.0, 0.1)), 10.0, 0).measured == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("curve", "why"),
    [
        (learning([8.0, 6.0, 4.5], last=(1.5, 0.1)), "it falls"),
        (learning([4.0, 4.0, 4.1], last=(-0.1, 0.01)), "what it costs is not worth a word"),
        (learning([4.0, 4.5, 6.0], last=(-1.5, 1.5)), "the rise may be chance"),
    ],
)
def test_a_curve_that_does_not_rise_for_sure_is_not_accused(curve, why):
    assert models.rising_error(curve, 10.0, 0).verdict == ABSENT, why


def test_what_could_not_be_trained_again_is_not_judged():
    nothing = {"curve": None, "gained": None, "last": None, "inputs": None}
    judges = (models.too_little_data, models.rising_error, models.too_many_inputs)
    for found in (judge(nothing, 1.0, 0) for judge in judges):
        assert found.verdict == UNKNOWN and np.isnan(found.measured) and found.details["reason"]


def residuals(kind, n=300, d=2):
    rng = np.random.default_rng(0)
    X = rng.random((n, d))
    shapes = {
        "noise": rng.standard_normal(n),
        "bowl": ((X - 0.5) ** 2).sum(axis=1) * 10 + 0.1 * rng.standard_normal(n),
        "waves": np.sin(12 * X[:, 0]) + 0.1 * rng.standard_normal(n),
        "bias": 2 + 0.1 * rng.standard_normal(n),
    }
    return X, shapes[kind]


@pytest.mark.parametrize(("kind", "by"), [("bowl", "quadratic"), ("waves", "neighbours"), ("bias", "quadratic")])
def test_residuals_with_structure_are_an_unsuitable_model(kind, by):
    X, residual = residuals(kind)
    found = models.unsuitable_model(X, residual, 2 * residual.var() + 1, np.zeros(2, int), np.random.default_rng(1))
    assert found.verdict == FOUND and found.details["by"] == by and found.details["of_the_residuals"] > 0.8


@pytest.mark.parametrize("seed", range(20))
def test_residuals_that_are_noise_are_not(seed):
    rng = np.random.default_rng(seed)
    X, residual = rng.random((100, 5)), rng.standard_normal(100)
    assert models.unsuitable_model(X, residual, 1.0, np.zeros(5, int), rng).verdict == ABSENT


def test_structure_that_is_a_small_part_of_the_output_is_no_reproach():
    X, residual = residuals("bowl")
    found = models.unsuitable_model(X, residual, 100 * residual.var(), np.zeros(2, int), np.random.default_rng(1))
    assert found.verdict == ABSENT and 0 < found.measured < 0.05


def test_few_held_out_rows_can_not_tell_structure():
    X, residual = residuals("bowl", n=30)
    assert models.unsuitable_model(X, residual, 1.0, np.zeros(2, int), np.random.default_rng(1)).verdict == UNKNOWN


def test_inputs_are_too_many_where_leaving_them_out_explains_more_beyond_chance():
    def found(gain, error):
        inputs = {"kept": ["a", "b"], "of": 9, "gain": [gain], "error": [error]}
        return models.too_many_inputs(learning([3.0, 2.0, 1.0], inputs=inputs), 10.0, 0)

    assert found(2.0, 0.5).verdict == FOUND and found(2.0, 0.5).measured == pytest.approx(0.2)
    assert (
        found(2.0, 1.5).verdict == ABSENT and found(0.1, 0.01).verdict == ABSENT and found(-1.0, 0.1).verdict == ABSENT
    )
    assert models.too_many_inputs(learning([3.0, 2.0, 1.0]), 10.0, 0).verdict == ABSENT


def test_noise_is_learned_where_the_model_is_nearer_to_its_rows_than_the_noise_and_pays():
    rng = np.random.default_rng(0)
    squared = 1.6 * rng.chisquare(1, 400)
    found = models.noise_as_signal(0.2, squared, 1.0, 4.0)
    assert found.verdict == FOUND and found.measured == pytest.approx((squared.mean() - 1) / 4)
    # As near to its rows as noise permits; not above the floor on others; noise unknown; none.
    assert models.noise_as_signal(1.1, squared, 1.0, 4.0).verdict == ABSENT
    assert models.noise_as_signal(0.2, squared / 1.6, 1.0, 4.0).verdict == ABSENT
    assert models.noise_as_signal(0.2, squared, None, 4.0).verdict == UNKNOWN
    assert models.noise_as_signal(0.0, squared, 0.0, 4.0).verdict == ABSENT


def test_the_noise_floor_is_what_repeats_say_or_what_is_stated():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(500), 2)
    y = group * 10.0 + 3 * rng.standard_normal(1000)
    assert models.noise_floor(group, y, None) == pytest.approx(9, rel=0.1)
    assert models.noise_floor(group, y, 2.0) == 4.0
    assert models.noise_floor(np.arange(1000), y, None) is None


# -- answers -----------------------------------------------------------------------------------------------------------


def row(loss, bound=np.nan, feasible="yes"):
    return {"predicted_loss": loss, "certified_bound": bound, "feasible": feasible}


def test_a_search_is_caught_where_it_ends_above_what_is_proven_or_known():
    assert answers.poor_search(row(10.0, 5.0), LOWEST, 10.0).verdict == FOUND
    assert answers.poor_search(row(10.0, 5.0), LOWEST, 10.0).measured == 5.0
    assert answers.poor_search(row(10.0, 9.5), LOWEST, 10.0).verdict == ABSENT
    assert answers.poor_search(row(10.0), LOWEST, 7.0).verdict == FOUND
    assert answers.poor_search(row(10.0), LOWEST, 10.0).verdict == UNKNOWN
    assert answers.poor_search(row(np.nan), LOWEST, 10.0).verdict == UNKNOWN


def test_a_search_for_values_is_caught_where_it_missed_what_can_be_met():
    assert answers.poor_search(row(4.0), TARGET, 0.0).verdict == FOUND
    assert answers.poor_search(row(0.25), TARGET, 0.0).verdict == ABSENT
    assert answers.poor_search(row(4.0, feasible="no"), TARGET, 4.0).verdict == ABSENT
    assert answers.poor_search(row(4.0, feasible="undecided"), TARGET, 4.0).verdict == UNKNOWN


def test_data_is_sparse_by_the_domain_score_or_by_the_interval():
    usual = np.full((50, 1), 2.0)
    assert answers.sparse_data(0.99, np.array([2.0]), usual).verdict == FOUND
    assert answers.sparse_data(0.5, np.array([9.0]), usual).verdict == FOUND
    assert answers.sparse_data(0.5, np.array([3.0]), usual).verdict == ABSENT


def test_there_is_no_solution_only_where_that_is_proven():
    assert answers.no_solution("no", 4.0, TARGET).verdict == FOUND
    assert answers.no_solution("undecided", np.nan, TARGET).verdict == UNKNOWN
    assert answers.no_solution("yes", 0.0, TARGET).verdict == ABSENT
    assert answers.no_solution("yes", 4.0, LOWEST).verdict == ABSENT


def test_solutions_are_several_where_equally_good_ones_lie_far_apart():
    free = np.ones(2, bool)
    near, far = np.array([[0.1, 0.5], [0.15, 0.52]]), np.array([[0.1, 0.5], [0.8, 0.5]])
    assert answers.several_solutions(near, free, 2, None).verdict == ABSENT
    found = answers.several_solutions(far, free, 2, 1)
    assert found.verdict == FOUND and found.measured == pytest.approx(0.7) and found.details["truly"] == 1
    assert answers.several_solutions(far, np.array([False, True]), 2, None).verdict == ABSENT
    assert answers.several_solutions(np.empty((0, 2)), free, 0, None).verdict == ABSENT


def unstable(truth, wanted, x=(0.5, 0.5), reach=0.1):
    x = np.array(x)
    rng = np.random.default_rng(0)
    return answers.unstable_answer(x - reach, x + reach, True, x, SQUARE, truth, wanted, rng)


def test_a_truth_that_jumps_in_the_window_makes_an_answer_unstable():
    def step(X):
        return np.where(X[:, :1] > 0.52, 9.0, 5.0)

    found = unstable(step, TARGET)
    assert found.verdict == FOUND and found.measured == pytest.approx(4.0) and 0.3 < found.details["missed"] < 0.5
    assert unstable(step, TARGET, x=(0.2, 0.5)).verdict == ABSENT
    assert unstable(step, LOWEST).verdict == FOUND


def test_a_steep_but_continuous_truth_is_no_jump_however_far_it_goes():
    def steep(X):
        return 5 + 1000 * (X[:, :1] - 0.5)

    found = unstable(steep, TARGET)
    assert found.verdict == ABSENT and found.measured < 1e-6 and found.details["missed"] > 0.9


def test_a_jump_within_the_tolerance_or_in_a_corner_does_not_matter():
    assert unstable(lambda X: np.where(X[:, :1] > 0.52, 5.2, 5.0), TARGET).verdict == ABSENT
    assert unstable(lambda X: np.where((X > 0.59).all(axis=1, keepdims=True), 9.0, 5.0), TARGET).verdict == ABSENT


def test_the_window_is_the_proven_one_or_a_share_of_the_range():
    known = {f"tolerance_{e}.{n}": v for n in "ab" for e, v in (("low", 0.4), ("high", 0.7))}
    low, high, proven = answers.window_around({"tolerance_width": 0.3, **known}, np.array([0.5, 0.5]), SQUARE)
    assert proven and low.tolist() == [0.4, 0.4] and high.tolist() == [0.7, 0.7]
    low, high, proven = answers.window_around({"tolerance_width": np.nan}, np.array([0.0, 0.5]), SQUARE)
    assert not proven and low.tolist() == [0.0, 0.49] and high.tolist() == pytest.approx([0.01, 0.51])


def test_findings_are_a_table_with_their_place_and_details():
    place = {"seed": 3, "surrogate": "forest", "output": "y"}
    table = findings.table([(place, findings.judged("k", "q", 0.4, 0.1, rows=[1, 2]))])
    assert list(table) == [*findings.COLUMNS, *findings.WHAT]
    (found,) = table.to_dict("records")
    assert found["seed"] == 3 and found["objective"] == "" and found["verdict"] == FOUND
    assert json.loads(found["details"]) == {"rows": [1, 2]}
    assert isinstance(table, pd.DataFrame)
