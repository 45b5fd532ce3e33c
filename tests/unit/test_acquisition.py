"""The acquisition against closed forms, brute Monte Carlo, and what a valid recipe is, said apart from the library."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from preimage.acquisition import batch, hyperparameters
from preimage.acquisition.aims import Aim
from preimage.acquisition.improvement import log_between, log_ramp, log_softplus
from preimage.acquisition.moving import Moves
from preimage.acquisition.process import Belief, Process
from preimage.core import objective, polytope
from preimage.core.space import Input, Linear, Space
from preimage.core.weighing import step_of, weighable
from preimage.surrogates.kernels import Hyperparameters

from ..spaces import random_space

H = Hyperparameters(1.3, 0.2, np.array([0.4, 0.9]))


def rows(n=9, noise=0.3):
    rng = np.random.default_rng(1)
    Z = rng.random((n, 2))
    return Z, np.sin(5 * Z[:, 0]) + Z[:, 1] + noise * rng.standard_normal(n)


def covariance(A, B):
    r = np.sqrt((((A[:, None] - B) / H.lengths) ** 2).sum(axis=-1)) * np.sqrt(5)
    return H.amplitude * (1 + r + r**2 / 3) * np.exp(-r) + hyperparameters.CONSTANT


def posterior(Z, y, P):
    """Mean and covariance of what is true at points, by the inverse."""
    inverse = np.linalg.inv(covariance(Z, Z) + H.noise * np.eye(len(Z)))
    across = covariance(P, Z)
    return across @ inverse @ y, covariance(P, P) - across @ inverse @ across.T


# -- closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [-30.0, -8.0, -1.5, -1.0, -0.3, 0.0, 2.0, 9.0])
def test_the_expected_ramp_is_its_integral(z):
    found, _ = integrate.quad(lambda t: t * np.exp(-t * z * -1 - 0.5 * t * t), 0, 60)
    expected = np.log(found) - 0.5 * z * z - 0.5 * np.log(2 * np.pi)
    assert log_ramp(np.array([z]))[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_expected_ramp_falls_where_it_is_rounded_to_zero():
    z = -np.geomspace(1, 1e8, 200)
    values = log_ramp(z)
    assert np.isfinite(values).all() and (np.diff(values) < 0).all()


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (-np.inf, -2.0), (3.0, np.inf), (8.0, 9.0), (-9.0, -8.0)])
def test_the_probability_of_an_interval(low, high):
    mean, deviation = np.array([0.2, -1.0]), np.array([0.9, 0.7])
    expected = [np.log(stats.norm(m, s).sf(low) - stats.norm(m, s).sf(high)) if low > 0 else
                np.log(stats.norm(m, s).cdf(high) - stats.norm(m, s).cdf(low))
                for m, s in zip(mean, deviation, strict=True)]  # fmt: skip
    assert log_between(low, high, mean, deviation) == pytest.approx(expected, rel=1e-9)


def test_the_smoothed_improvement():
    z = np.array([-700.0, -40.0, -5.0, 0.0, 5.0, 50.0])
    assert log_softplus(z) == pytest.approx([-700.0, -40.0, *np.log(np.log1p(np.exp(z[2:])))], rel=1e-9)


# -- the process -------------------------------------------------------------------------------------------------------


def test_the_density_of_hyperparameters_has_its_derivatives():
    Z, y = rows()
    density = hyperparameters.Posterior(Z[:, [0, 1, 1]] * [1, 1, 0.5], y, np.array([0, 1, 1]))
    theta = np.array([0.2, -2.0, -0.5, 0.3])
    slopes = [(density(theta + 1e-5 * e)[0] - density(theta - 1e-5 * e)[0]) / 2e-5 for e in np.eye(4)]
    assert density(theta)[1] == pytest.approx(slopes, rel=1e-5)


@pytest.mark.long
def test_hyperparameters_are_drawn_from_their_posterior():
    Z, y = rows(12, 0.05)
    density = hyperparameters.Posterior(Z[:, :1], y, np.array([0]))
    logs = np.array([h.to_log() for h in hyperparameters.drawn(density, 100, np.random.default_rng(0))])
    # Independent: importance sampling from the priors.
    rng = np.random.default_rng(1)
    prior = density.mean + density.deviation * rng.standard_normal((1500, 3))
    with np.errstate(all="ignore"):
        likelihood = np.array([density(t)[0] for t in prior])
    likelihood += 0.5 * (((prior - density.mean) / density.deviation) ** 2).sum(axis=1)
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    mean = weights @ prior
    deviation = np.sqrt(weights @ (prior - mean) ** 2)
    assert (np.abs(logs.mean(axis=0) - mean) < 0.4 * deviation).all()
    assert logs.std(axis=0) == pytest.approx(deviation, rel=0.4)


def test_a_process_predicts_as_scikit_learn_does():
    Z, y = rows()
    kernel = kernels.ConstantKernel(H.amplitude) * kernels.Matern(H.lengths, nu=2.5)
    kernel = kernel + kernels.ConstantKernel(hyperparameters.CONSTANT) + kernels.WhiteKernel(H.noise)
    peer = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(Z, y)
    P = np.random.default_rng(2).random((20, 2))
    mean, deviation = Process(H, Z, y, 4, np.random.default_rng(0)).predict(P)
    expected = peer.predict(P, return_std=True)
    assert mean == pytest.approx(expected[0], abs=1e-6)
    assert deviation == pytest.approx(expected[1], rel=1e-6)


def test_rows_that_noise_or_short_lengths_explain_get_draws_of_both():
    Z, y = rows(12)
    found = hyperparameters.drawn(hyperparameters.Posterior(Z[:, :1], y, np.array([0])), 24, np.random.default_rng(0))
    noisy = [h.noise > 0.05 for h in found]
    assert len(found) == 24 and any(noisy) and not all(noisy)


def test_draws_of_what_is_true_have_the_posteriors_mean_and_covariance():
    Z, y = rows()
    process = Process(H, Z, y, 20_000, np.random.default_rng(0))
    for z in ([0.1, 0.9], [0.8, 0.2]):
        process.add(np.array(z), np.random.default_rng(int(10 * z[0])))
    mean, expected = posterior(Z, y, process.Z)
    assert process.true.mean(axis=1) == pytest.approx(mean, abs=0.03)
    assert np.cov(process.true) == pytest.approx(expected, abs=0.03)


# -- aims --------------------------------------------------------------------------------------------------------------


class Brute:
    """Draws of two outputs at the rows and at one point, from the exact posterior."""

    def __init__(self, n=200_000):
        Z, y = rows()
        self.Z, self.Y = Z, np.column_stack([y, np.cos(3 * y)])
        self.point = np.array([[0.15, 0.6]])
        rng = np.random.default_rng(3)
        self.draws = []
        for k in range(2):
            mean, C = posterior(Z, self.Y[:, k], np.vstack([Z, self.point]))
            self.draws.append(rng.multivariate_normal(mean, C + 1e-9 * np.eye(len(C)), n))
        self.true = np.stack([d[:, :-1] for d in self.draws], axis=2)
        self.at = np.stack([d[:, -1] for d in self.draws], axis=1)

    def score(self, spec, s=4000):
        wanted = objective.build("o", spec, ["a", "b"], self.Y.std(axis=0), np.ptp(self.Y, axis=0), self.Y)
        processes = [Process(H, self.Z, self.Y[:, k], s, np.random.default_rng(k)) for k in range(2)]
        true = np.stack([p.true for p in processes], axis=1)
        aim = Aim.of(wanted, true, np.ones(len(self.Z), bool), np.random.default_rng(5))
        return wanted, aim, float(aim.score({k: processes[k].at(self.point) for k in aim.columns})[0])


@pytest.fixture(scope="module")
def brute():
    return Brute()


def test_the_noisy_expected_improvement_is_that_of_brute_draws(brute):
    _, aim, score = brute.score({"maximize": {"a": 1.0, "b": 0.5}})
    value = brute.true @ [1.0, 0.5]
    expected = np.maximum(brute.at @ [1.0, 0.5] - value.max(axis=1), 0).mean()
    assert np.exp(score) * aim.unit == pytest.approx(expected, rel=0.05)


def test_the_constrained_improvement_is_that_of_brute_draws(brute):
    _, aim, score = brute.score({"minimize": "a", "subject_to": {"b": {"at_least": -0.2}}})
    kept = brute.true[..., 1] >= -0.2
    worst = brute.true[..., 0].max(axis=1)
    best = np.where(kept.any(axis=1), np.where(kept, brute.true[..., 0], np.inf).min(axis=1), worst)
    gain = np.maximum(best - brute.at[:, 0], 0) * (brute.at[:, 1] >= -0.2)
    assert np.exp(score) * aim.unit == pytest.approx(gain.mean(), rel=0.08)


@pytest.mark.parametrize("spec", [
    {"target": {"a": 0.9}, "tolerance": 0.1},
    {"within": {"a": [1.6, 1.8]}},
    {"target": {"a": 0.9, "b": 0.1}, "scaled": True},
])  # fmt: skip
def test_the_reduction_of_a_distance_is_that_of_brute_draws(brute, spec):
    wanted, aim, score = brute.score(spec, 20_000)
    distance = np.sqrt(wanted.loss(brute.true.reshape(-1, 2))).reshape(len(brute.at), -1)
    gain = np.maximum(distance.min(axis=1) - np.sqrt(wanted.loss(brute.at)), 0).mean()
    # Smoothing adds at most a thousandth of the losses' spread, times log 2.
    assert np.exp(score) * 1e-3 * aim.unit == pytest.approx(gain, rel=0.1, abs=1e-3 * aim.unit)


def test_what_is_under_way_leaves_little_to_gain_beside_it(brute):
    process = Process(H, brute.Z, brute.Y[:, 0], 500, np.random.default_rng(0))
    wanted = objective.build("o", {"maximize": "a"}, ["a"])

    def score():
        true = process.true[:, None]
        aim = Aim.of(wanted, true, np.ones(len(true), bool), np.random.default_rng(5))
        return aim.score({0: process.at(brute.point + 0.01)})[0] + np.log(aim.unit)

    before = score()
    process.add(brute.point[0], np.random.default_rng(1))
    assert score() < before - 1


def test_a_point_that_may_keep_the_limits_is_better_than_one_that_may_not_though_no_row_does(brute):
    _, aim, _ = brute.score({"minimize": "a", "subject_to": {"b": {"at_least": 2.0}}})
    processes = [Process(H, brute.Z, brute.Y[:, k], 100, np.random.default_rng(k)) for k in range(2)]
    P = np.random.default_rng(0).random((50, 2))
    at = {k: p.at(P) for k, p in enumerate(processes)}
    Aim.of(aim.objective, np.stack([p.true for p in processes], axis=1), np.ones(9, bool), np.random.default_rng(0))
    chance = log_between(2.0, np.inf, *at[1]).mean(axis=1)
    aim = Aim.of(aim.objective, np.stack([p.true for p in processes], 1), np.ones(9, bool), np.random.default_rng(0))
    assert stats.spearmanr(aim.score(at), chance).statistic > 0.8


# -- points ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_moves_and_rounded_recipes_are_valid_in_any_space(seed):
    space, _ = random_space(seed)
    rng = np.random.default_rng(seed)
    pool = polytope.sample(space, 60, rng)
    moved = Moves(space, pool)(pool, 60, 0.3, rng)
    assert len(moved) and space.contains(moved).all()
    assert space.contains(weighable(space, moved)).all()


def test_a_mixture_is_weighed_in_hundredths_that_add_up():
    inputs = tuple(Input(name, 0.0, 1.0) for name in "abcde")
    space = Space(inputs, (Linear(tuple((i.name, 1.0) for i in inputs), 1.0, 1.0),))
    X = polytope.sample(space, 40, np.random.default_rng(0))
    for x, found in zip(X, weighable(space, X), strict=True):
        assert sum(Decimal(repr(float(v))) for v in found) == 1
        assert all(-Decimal(repr(float(v))).as_tuple().exponent <= 2 for v in found)
        assert np.abs(found - x).max() < 0.02


def test_three_digits_of_a_range():
    assert [step_of(Input("x", low, high)) for low, high in [(102, 540), (0, 32.2), (0, 1), (0, 0.35), (5, 5)]] == [
        1, 0.1, 0.01, 0.001, 0
    ]  # fmt: skip
    assert step_of(Input("n", 0, 9, integer=True)) == step_of(Input("v", 0, 2, values=(0.0, 2.0))) == 0


def bowl(space, n=12, seed=0):
    rng = np.random.default_rng(seed)
    X = polytope.sample(space, n, rng)
    return X, ((space.coordinates(X) - 0.4) ** 2).sum(axis=1)[:, None]


def wish(space, spec, Y):
    return batch.Wish(space, objective.build("o", spec, ["y"], Y.std(axis=0), np.ptp(Y, axis=0), Y))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(batch, "POOL", 100)
    monkeypatch.setattr(batch.searching, "SWEEPS", 5)
    monkeypatch.setattr(batch.searching, "WIDTH", 60)
    monkeypatch.setattr(batch, "MOST", 2)


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_is_valid_distinct_and_new_in_any_space(seed, quick):
    space, _ = random_space(seed + 20)
    X, Y = bowl(space)
    wishes = [wish(space, spec, Y) for spec in ({"minimize": "y"}, {"target": {"y": float(np.median(Y))}})]
    found, _ = batch.choose(space, wishes, X, Y, 3, 0.3, np.random.default_rng(seed))
    assert space.contains(found.X).all()
    assert len(np.unique(np.concatenate([found.X, np.unique(X, axis=0)]), axis=0)) == len(found.X) + len(
        np.unique(X, axis=0)
    )
    again, _ = batch.choose(space, wishes, X, Y, 3, 0.3, np.random.default_rng(seed))
    assert np.array_equal(found.X, again.X)


def test_a_batch_ends_where_the_space_does(quick):
    space = Space((Input("n", 0, 3, integer=True), Input("c", 0, 1, categories=("u", "v"))))
    X = np.array([[0.0, 0], [1, 1], [2, 0]])
    found, _ = batch.choose(
        space, [wish(space, {"minimize": "y"}, X[:, :1])], X, X[:, :1], 9, 0.0, np.random.default_rng(0)
    )
    assert sorted(map(tuple, found.X)) == [(0, 1), (1, 0), (2, 1), (3, 0), (3, 1)]


def test_wishes_take_turns_and_the_last_of_a_batch_learn(quick):
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))
    X, Y = bowl(space)
    wishes = [wish(space, {"minimize": "y"}, Y), wish(space, {"maximize": "y"}, Y)]
    found, _ = batch.choose(space, wishes, X, Y, 6, 0.34, np.random.default_rng(0))
    assert found.wish == [0, 1, 0, 1, 0, 1]
    assert found.why == ["improves"] * 4 + ["learns"] * 2
    low, high = (((found.X[[k, k + 2]] - 0.4) ** 2).sum(axis=1) for k in (0, 1))
    assert low.max() < high.min()


def test_it_finds_the_bottom_of_a_bowl(quick):
    space = Space(tuple(Input(f"x{j}", 0.0, 100.0) for j in range(3)))
    X, Y = bowl(space, 10)
    for k in range(3):
        found, _ = batch.choose(space, [wish(space, {"minimize": "y"}, Y)], X, Y, 3, 0.0, np.random.default_rng(k))
        X = np.concatenate([X, found.X])
        Y = ((space.coordinates(X) - 0.4) ** 2).sum(axis=1)[:, None]
    assert Y[:10].min() > 0.1 and Y.min() < 0.02


def test_units_do_not_matter(quick):
    inputs = (Input("a", 0.0, 1.0), Input("b", 0.0, 1.0))
    other = (Input("a", 0.0, 1000.0), Input("b", 0.0, 1.0))
    X, Y = bowl(Space(inputs))
    found, _ = batch.choose(
        Space(inputs), [wish(Space(inputs), {"minimize": "y"}, Y)], X, Y, 3, 0.0, np.random.default_rng(0)
    )
    units = np.array([1000.0, 1.0])
    turned, _ = batch.choose(
        Space(other),
        [wish(Space(other), {"minimize": "y"}, 1e6 * Y)],
        X * units,
        1e6 * Y,
        3,
        0.0,
        np.random.default_rng(0),
    )
    assert turned.X / units == pytest.approx(found.X, abs=0.02)


def test_the_order_of_inputs_and_of_a_category_does_not_matter(quick):
    rng = np.random.default_rng(0)
    a, b, kind = rng.random(14), rng.random(14), rng.integers(0, 3, 14)
    Y = ((a - 0.3) ** 2 + b + 0.1 * kind)[:, None]
    inputs = (Input("a", 0.0, 1.0), Input("b", 0.0, 1.0), Input("c", 0, 2, categories=("u", "v", "w")))
    other = (replace(inputs[2], categories=("w", "u", "v")), *inputs[:2])
    found = []
    for names, X in ((inputs, [a, b, kind]), (other, [np.array([1, 2, 0])[kind], a, b])):
        space, X = Space(tuple(names)), np.column_stack(X).astype(float)
        chosen, _ = batch.choose(space, [wish(space, {"minimize": "y"}, Y)], X, Y, 3, 0.0, np.random.default_rng(0))
        frame = space.decode(chosen.X)
        found.append([(float(x), float(z), str(c)) for x, z, c in zip(frame["a"], frame["b"], frame["c"], strict=True)])
    assert found[0] == found[1]


def test_a_constant_output_and_rows_without_numbers_do_no_harm(quick):
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))
    X, Y = bowl(space)
    for values in (np.ones_like(Y), np.where(np.arange(len(Y))[:, None] < 4, np.nan, Y)):
        found, _ = batch.choose(
            space, [wish(space, {"minimize": "y"}, values)], X, values, 2, 0.0, np.random.default_rng(0)
        )
        assert len(found.X) == 2


def test_a_trade_off_gets_several_compromises(quick):
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))
    X, _ = bowl(space, 20)
    Y = np.column_stack([X[:, 0] + 0.3 * X[:, 1], (1 - X[:, 0]) + 0.3 * X[:, 1]])
    wanted = objective.build("o", {"pareto": {"minimize": ["u", "v"]}}, ["u", "v"], Y.std(axis=0), np.ptp(Y, axis=0), Y)
    found, _ = batch.choose(space, [batch.Wish(space, wanted)], X, Y, 5, 0.0, np.random.default_rng(0))
    assert np.ptp(found.X[:, 0]) > 0.3 and np.median(found.X[:, 1]) < 0.2


def test_beliefs_are_in_the_outputs_units():
    Z, y = rows(noise=0.0)
    belief = Belief(Z, 1e3 + 50 * y, np.arange(2), np.arange(9), 4, 20, np.random.default_rng(0))
    mean, deviation = belief.predict(Z)
    assert np.abs(mean.mean(axis=1) - 1e3 - 50 * y).max() < 25
    assert (deviation < 60).all() and belief.true.shape == (9, 80)
