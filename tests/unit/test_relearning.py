"""What a round adds, whether it is time to train again, and whether a challenger may pass the gate."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from preimage.acquisition import batch
from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.problems.loading import load
from preimage.relearning import acquire as acquiring
from preimage.relearning import decide as deciding
from preimage.relearning import drift, gate
from preimage.relearning.acquire import Ask, acquire

from ..conftest import random_space, refusal

# -- acquire -----------------------------------------------------------------------------------------------------------

BOX = Space((Input("a", -1.0, 1.0), Input("b", -1.0, 1.0)))
LOW = objective.build("low", {"minimize": "y"}, ["y"])


def bowl(X):
    return (X**2).sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(batch, "POOL", 100)
    monkeypatch.setattr(batch.searching, "SWEEPS", 5)
    monkeypatch.setattr(batch.searching, "WIDTH", 60)
    monkeypatch.setattr(batch, "MOST", 1)


def ask(space=BOX, candidates=None, wanted=LOW):
    return Ask(space, wanted, np.empty((0, len(space.inputs))) if candidates is None else candidates)


def rows(n=30, d=2, seed=0):
    X = np.random.default_rng(seed).uniform(-1, 1, (n, d))
    return X, bowl(X)


@pytest.mark.some(2)
@pytest.mark.parametrize("seed", range(8))
def test_a_batch_satisfies_the_space_and_repeats_nothing(seed):
    space, point = random_space(seed)
    from preimage.core import polytope

    X = np.concatenate([point[None], polytope.sample(space, 30, np.random.default_rng(seed))])
    found = acquire([ask(space)], X, bowl(X), 12, 0.25, np.random.default_rng(seed))
    assert space.contains(found.X).all()
    both = np.concatenate([X, found.X])
    distance = np.linalg.norm(space.scaled(both)[:, None] - space.scaled(found.X)[None], axis=2)
    distance[len(X) + np.arange(len(found.X)), np.arange(len(found.X))] = np.inf
    assert not len(found.X) or distance.min() >= acquiring.SAME
    assert len(found.X) == len(found.why) <= 12
    if (space.free & ~space.discrete).sum() > len(space.constraints):
        assert len(found.X) == 12


@pytest.mark.parametrize(("n", "explore", "exploring"), [(20, 0.25, 5), (20, 0.0, 0), (20, 1.0, 20), (3, 0.5, 2)])
def test_the_proportion_is_the_stated_one(n, explore, exploring):
    X, Y = rows()
    why = acquire([ask()], X, Y, n, explore, np.random.default_rng(0)).why
    assert len(why) == n
    assert why.count(acquiring.LEARNS) == exploring


def test_candidates_come_first_best_first_but_not_those_known_or_near_another():
    X, Y = rows()
    candidates = np.array([X[3], [0.9, 0.9], [0.9, 0.91], [-0.9, 0.9]])
    found = acquire([ask(candidates=candidates)], X, Y, 16, 0.0, np.random.default_rng(0))
    chosen = found.X[np.array(found.why) == acquiring.CANDIDATE]
    assert chosen.tolist() == [[0.9, 0.9], [-0.9, 0.9]]


def test_exploring_goes_where_least_is_known():
    X = np.random.default_rng(0).uniform([-1, -1], [0, 1], (40, 2))
    found = acquire([ask()], X, bowl(X), 3, 1.0, np.random.default_rng(0))
    assert (found.X[:, 0] > 0.2).all()


def test_each_ask_has_its_turn():
    X, Y = rows()
    right = objective.build("right", {"target": {"y": 2.0}}, ["y"])
    found = acquire([ask(), ask(wanted=right)], X, Y, 10, 0.0, np.random.default_rng(0))
    loss = np.column_stack([LOW.loss(bowl(found.X)), right.loss(bowl(found.X))])
    assert loss[::2, 0].min() < 0.05 and loss[1::2, 1].min() < 0.05


def test_whole_numbers_run_out_without_a_repeat():
    space = Space((Input("k", 0.0, 4.0, integer=True),))
    X = np.array([[0.0], [2.0]])
    found = acquire([ask(space)], X, bowl(X), 10, 0.5, np.random.default_rng(0))
    assert sorted(found.X[:, 0]) == [1.0, 3.0, 4.0]


def test_rows_along_a_plane_and_fixed_inputs_are_learned_from():
    space = Space(
        (Input("a", 0.0, 1.0), Input("b", 0.0, 1.0), Input("c", 0.0, 1.0), Input("t", 20.0, 20.0)),
        (Linear((("a", 1.0), ("b", 1.0), ("c", 1.0)), 1.0, 1.0),),
    )
    part = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    X = np.column_stack([part, np.full(40, 20.0)])
    Y = ((X[:, :3] - [0.2, 0.3, 0.5]) ** 2).sum(axis=1, keepdims=True)
    found = acquire([ask(space)], X, Y, 8, 0.0, np.random.default_rng(0))
    assert space.contains(found.X).all() and len(found.X) == 8
    assert np.abs(found.X[0, :3] - [0.2, 0.3, 0.5]).max() < 0.1


def test_a_batch_is_the_same_for_the_same_generator():
    X, Y = rows()
    first, second = (acquire([ask()], X, Y, 10, 0.25, np.random.default_rng(7)) for _ in range(2))
    assert first.X.tobytes() == second.X.tobytes() and first.why == second.why


def test_nothing_asked_is_refused():
    X, Y = rows()
    assert "nothing to simulate" in refusal(acquire, [], X, Y, 5, 0.25, np.random.default_rng(0))


def test_rounds_close_in_on_a_minimum_that_the_surrogate_is_wrong_about():
    """The surrogate has no candidates: what is found is found by the acquisition alone."""
    problem = load({"simulator": "paraboloid", "dimension": 3})
    space = Space(tuple(Input(n, *b) for n, b in problem.inputs.items()))
    rng = np.random.default_rng(0)
    X = rng.uniform(-100, 100, (40, 3))
    Y = problem.simulate(X)
    before = Y.min()
    blind = Ask(space, LOW, np.empty((0, 3)))
    for _ in range(4):
        new = acquire([blind], X, Y, 10, 0.1, rng).X
        X, Y = np.concatenate([X, new]), np.concatenate([Y, problem.simulate(new)])
    assert Y.min() < before / 5


# -- drift -------------------------------------------------------------------------------------------------------------


def test_psi_against_shares_by_hand():
    old = np.repeat([0.0, 1.0], 500)
    new = np.repeat([0.0, 1.0], [200, 800])
    p, q = np.array([0.5, 0.5]), np.array([0.2, 0.8])
    expected = ((q - p) * np.log(q / p)).sum()
    assert drift.psi(old, new, levels=2) == pytest.approx(expected)
    assert drift.psi(old, new) == pytest.approx(expected)
    assert drift.psi(old, old) == 0


def test_drift_tells_a_shift_from_a_sample():
    rng = np.random.default_rng(0)
    old, same, moved = rng.normal(size=2000), rng.normal(size=500), rng.normal(1, 1, 500)
    calm, found = drift.drift(old, same), drift.drift(old, moved)
    assert calm.psi < 0.1 and calm.p_value > 0.01
    assert found.psi > 0.25 and found.p_value < 1e-6
    assert found.p_value == pytest.approx(ks_2samp(old, moved, method="asymp").pvalue)


def test_drift_of_inputs_by_name_with_categories_and_constants():
    rng = np.random.default_rng(0)
    old = np.column_stack([rng.random(300), rng.integers(3, size=300), np.ones(300)])
    new = np.column_stack([rng.random(100), np.zeros(100), np.ones(100)])
    found = drift.by_input(old, new, ["a", "b", "c"], [0, 3, 0])
    assert found["a"].psi < 0.25 < found["b"].psi and found["b"].p_value < 1e-6
    assert found["c"] == (0.0, 1.0, 0.0, 1.0)


def test_a_value_never_seen_gives_a_finite_index():
    assert np.isfinite(drift.psi(np.linspace(0, 1, 100), np.full(5, 9.0)))


@pytest.mark.parametrize("levels", [0, 8])
def test_the_index_of_few_rows_is_large_by_chance_and_its_p_value_knows(levels):
    """Without drift the p-value is spread about as it should be; the index alone is far too large."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        old, new = rng.random(300), rng.random(60)
        old, new = ((np.floor(v * levels) if levels else v) for v in (old, new))
        found.append(drift.drift(old, new, levels))
    assert 0.005 < np.mean([f.psi_p_value < 0.05 for f in found]) < 0.12
    few = [drift.drift(rng.random(300), rng.random(20)) for _ in range(200)]
    assert np.mean([f.psi > 0.25 for f in few]) > 0.5
    calm = {"a": few[int(np.argmax([f.psi for f in few]))]}
    assert calm["a"].psi > 0.5 and not deciding.decide(300, 5, calm, {}, deciding.Thresholds(p_value=1e-6)).relearn


# -- decide ------------------------------------------------------------------------------------------------------------

CALM = {"a": drift.Drift(0.01, 0.9, 0.05, 0.6)}
FINE = {"y": deciding.Seen(1.0, 1.05, 0.9, 0.9)}
LIMITS = deciding.Thresholds()


def test_nothing_new_is_no_reason():
    found = deciding.decide(100, 0, {}, {}, LIMITS)
    assert not found.relearn and found.reasons == []


def test_the_first_champion_needs_no_reason_but_its_absence():
    assert deciding.decide(0, 100, {}, {}, LIMITS).relearn


@pytest.mark.parametrize(
    ("new", "drifts", "seen", "words"),
    [
        (10, CALM, FINE, "10 new rows are 10%"),
        (5, {"a": drift.Drift(0.4, 1e-3, 0.3, 0.2)}, FINE, "'a' has drifted: PSI 0.40"),
        (5, {"a": drift.Drift(0.1, 0.2, 0.3, 0.001)}, FINE, "'a' has drifted: p = 0.001"),
        (5, CALM, {"y": deciding.Seen(1.0, 1.6, 0.9, 0.9)}, "'y': error 1.6 on the new rows"),
        (9, CALM, {"y": deciding.Seen(1.0, 1.0, 0.5, 0.9)}, "'y': 50% of the new rows"),
    ],
)
def test_each_threshold_is_a_reason_of_its_own(new, drifts, seen, words):
    found = deciding.decide(100, new, drifts, seen, LIMITS)
    assert found.relearn and len(found.reasons) == 1 and words in found.reasons[0]
    assert found.to_dict()["figures"]["new_rows"] == new


def test_few_rows_that_look_like_the_old_ones_are_no_reason():
    assert not deciding.decide(100, 5, CALM, FINE, LIMITS).relearn


def test_a_coverage_that_chance_explains_is_no_reason():
    seen = {"y": deciding.Seen(1.0, 1.0, 0.5, 0.9)}
    assert not deciding.decide(100, 2, CALM, seen, LIMITS).relearn


# -- gate --------------------------------------------------------------------------------------------------------------


def errors(n, ratio, seed, correlation=0.8):
    """Errors of a champion and of a challenger whose true error is `ratio` times the champion's."""
    rng = np.random.default_rng([seed, n])
    old = rng.standard_normal((n, 1))
    return old, ratio * (correlation * old + np.sqrt(1 - correlation**2) * rng.standard_normal((n, 1)))


def promoted(n, ratio, repeats=200):
    count = 0
    for seed in range(repeats):
        old, new = errors(n, ratio, seed)
        truth = np.zeros((n, 1))
        count += gate.compare(truth, old, new, np.ones(1), np.random.default_rng(seed)).better
    return count / repeats


def test_a_challenger_that_is_worse_hardly_ever_passes():
    assert all(promoted(n, 1.05) <= 0.05 for n in (gate.FEWEST_ROWS, 100))


def test_a_challenger_that_is_better_passes_with_rows_enough():
    assert promoted(300, 0.9) >= 0.8


def test_the_same_model_is_no_improvement():
    old, _ = errors(100, 1, 0)
    found = gate.compare(np.zeros((100, 1)), old, old, np.ones(1), np.random.default_rng(0))
    assert (found.low, found.high, found.better) == (1, 1, False) and "it may be no better" in found.reason()


def test_few_gate_rows_promote_nothing():
    old, new = errors(gate.FEWEST_ROWS - 1, 0.01, 0)
    found = gate.compare(np.zeros(old.shape), old, new, np.ones(1), np.random.default_rng(0))
    assert not found.better and "too few" in found.reason()


def test_a_champion_without_error_is_not_replaced():
    zero = np.zeros((30, 1))
    found = gate.compare(zero, zero, zero + 1, np.ones(1), np.random.default_rng(0))
    assert not found.better and found.reason()


def test_outputs_count_in_units_of_their_scale():
    truth = np.zeros((100, 2))
    rng = np.random.default_rng(0)
    big, small = rng.normal(size=100) * 1000, rng.normal(size=100)
    old, new = np.column_stack([big, small]), np.column_stack([big * 1.5, small * 0.1])
    found = gate.compare(truth, old, new, np.array([1000.0, 1.0]), rng)
    assert found.champion == pytest.approx(np.sqrt(((old / [1000, 1]) ** 2).mean()))
    assert found.challenger == pytest.approx(np.sqrt(((new / [1000, 1]) ** 2).mean()))


def test_gate_rows_are_the_stated_share_over_many_batches():
    rng = np.random.default_rng(0)
    held = [gate.gate_rows(3, 0.2, rng) for _ in range(2000)]
    assert np.mean(held) == pytest.approx(0.2, abs=0.02)
    assert gate.gate_rows(20, 0.2, rng).sum() == 4
    assert not gate.gate_rows(20, 0.0, rng).any()
