"""Gaussian process: equal to scikit-learn's, to finite differences and to brute force; and what it is for."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.linalg import cholesky

from preimage.data.rows import Rows
from preimage.data.split import folds, group_rows
from preimage.support.errors import StudyError
from preimage.support.progress import TrainingContext
from preimage.surrogates import gaussian_process as gp
from preimage.surrogates import marginal_likelihood as ml
from preimage.surrogates.base import module
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.kernels import KERNELS, Hyperparameters, covariance, factorised
from preimage.surrogates.kinds.gaussian_process import GaussianProcess

SPEC = {"kernel": "rbf", "rows": 10_000, "hyperparameter_rows": 200, "restarts": 2, "folds": 5}


def points(n, d=3, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, (n, d))


def wave(X):
    return np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, 100 + 5 * np.cos(X[:, -1] + X[:, 0])])


def train(X, Y, seed=0, levels=None, threads=1, **spec):
    rows = Rows.plain(X, Y)
    rows = rows if levels is None else replace(rows, levels=np.array(levels))
    return GaussianProcess(**{**SPEC, **spec}).train(rows, np.random.default_rng(seed), TrainingContext(threads))


def theirs(model, k):
    """scikit-learn's process with the hyperparameters of our output k, fitted on the same encoded rows."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

    h = model.parameters[k]
    shape = RBF(h.lengths) if model.kernel == "rbf" else Matern(h.lengths, nu=2.5)
    kernel = ConstantKernel(h.amplitude) * shape + WhiteKernel(h.noise)
    return GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)


@pytest.fixture(scope="module", params=KERNELS)
def noisy(request):
    X = points(120)
    Y = wave(X) + np.random.default_rng(1).normal(0, [0.1, 0.3], (120, 2))
    return X, Y, train(X, Y, kernel=request.param)


@pytest.fixture(scope="module", params=KERNELS)
def exact(request):
    X = points(120)
    return X, wave(X), train(X, wave(X), kernel=request.param)


def test_mean_and_deviation_are_those_of_scikit_learn(noisy):
    _, Y, trained = noisy
    model, new = trained.surrogate, points(50, seed=2)
    for k in range(2):
        other = theirs(model, k).fit(model.Z, (Y[:, k] - Y[:, k].mean()) / Y[:, k].std())
        mean, deviation = other.predict(model.encoding(new), return_std=True)
        assert np.allclose(model.predict(new)[:, k], Y[:, k].mean() + Y[:, k].std() * mean, rtol=0, atol=1e-8)
        assert np.allclose(model.spread(new)[:, k], Y[:, k].std() * deviation, rtol=1e-8, atol=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_likelihood_and_its_gradient_are_those_of_scikit_learn(kernel):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

    X, y = points(60), wave(points(60))[:, 0]
    h = Hyperparameters(2.0, 0.03, np.array([0.7, 1.5, 4.0]))
    value, gradient = ml.log_likelihood_and_gradient(KERNELS[kernel], X, y, h.to_log())
    shape = RBF(h.lengths) if kernel == "rbf" else Matern(h.lengths, nu=2.5)
    other = GaussianProcessRegressor(
        ConstantKernel(h.amplitude) * shape + WhiteKernel(h.noise), alpha=0.0, optimizer=None
    ).fit(X, y)
    theirs, slopes = other.log_marginal_likelihood(other.kernel_.theta, eval_gradient=True)
    assert value == pytest.approx(theirs, rel=1e-10)
    assert np.allclose(gradient, slopes[[0, 4, 1, 2, 3]], rtol=1e-8)


def rounding(model):
    """How far two orders of the same sums may differ (m,): large terms cancel where there is no noise."""
    sums = np.array([h.amplitude * np.abs(w).sum() for h, w in zip(model.parameters, model.weights, strict=True)])
    return 1e-15 * model.scale * sums + 1e-12 * np.abs(model.centre)


def near(a, b, tolerance):
    return (np.abs(a - b) <= tolerance).all()


def test_gradient_is_that_of_finite_differences(noisy):
    X, _, trained = noisy
    model, step = trained.surrogate, 1e-4
    new = np.vstack([points(20, seed=3), X[:5]])  # a descent starts at training rows, where distances are 0
    _, J = model.gradient(new)
    assert J.shape == (25, 2, 3)
    for j in range(3):
        h = step * np.eye(3)[j]
        difference = (model.predict(new + h) - model.predict(new - h)) / (2 * step)
        assert np.allclose(J[:, :, j], difference, rtol=1e-5, atol=1e-5)


def test_gradient_comes_with_the_prediction_for_one_point_or_many(exact):
    X, _, trained = exact
    model, new = trained.surrogate, np.vstack([points(20, seed=3), X[:5]])
    Y, J = model.gradient(new)
    assert near(Y, model.predict(new), rounding(model))
    alone = np.concatenate([model.gradient(x[None])[1] for x in new])
    assert near(alone, J, 10 * rounding(model)[:, None])


@pytest.mark.parametrize("kernel", KERNELS)
def test_traceable_is_the_prediction_with_the_same_derivatives(kernel):
    X = points(120)
    for Y in (wave(X), wave(X) + np.random.default_rng(1).normal(0, 0.1, (120, 2))):
        model = train(X, Y, kernel=kernel).surrogate
        mean, new = partial(*model.traceable()), np.vstack([points(5, seed=4), X[:2]])
        import jax

        assert mean(new[0]).dtype == np.float64
        assert near(jax.jit(jax.vmap(mean))(new), model.predict(new), rounding(model))
        assert near(jax.jit(jax.vmap(jax.jacobian(mean)))(new), model.gradient(new)[1], 10 * rounding(model)[:, None])


def refitted(model, y, held, k):
    """Mean and deviation (standardised) at held-out rows, by linear algebra from the textbook."""
    K = covariance(KERNELS[model.kernel], model.Z, model.parameters[k])
    cross = K[np.ix_(held, ~held)]
    solved = np.linalg.solve(K[np.ix_(~held, ~held)], np.column_stack([y[~held], cross.T]))
    return cross @ solved[:, 0], np.sqrt(np.diag(K[np.ix_(held, held)] - cross @ solved[:, 1:]))


# Without noise the textbook's way, of which the variance is a difference, has few digits itself.
@pytest.mark.parametrize(("noise", "tolerance", "of_deviation"), [(0.1, 1e-9, 1e-7), (0.0, 1e-5, 0.05)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_out_of_fold_is_a_fit_without_the_fold(kernel, noise, tolerance, of_deviation):
    X = points(120)
    Y = wave(X) + np.random.default_rng(1).normal(0, noise, (120, 2))
    trained = train(X, Y, kernel=kernel)
    model = trained.surrogate
    fold = folds(group_rows(X), SPEC["folds"], np.random.default_rng(0))
    for k, scale in enumerate(model.scale):
        y = (Y[:, k] - model.centre[k]) / scale
        for held in (fold == f for f in range(SPEC["folds"])):
            mean, deviation = refitted(model, y, held, k)
            assert near(trained.out_of_fold[0][held, k], model.centre[k] + scale * mean, scale * tolerance)
            assert np.allclose(trained.out_of_fold[1][held, k], scale * deviation, rtol=of_deviation)


def test_a_smooth_simulator_is_met_to_seven_digits():
    def sine(X):
        return (np.sin(3 * np.pi * X[:, 0]) + np.cos(3 * np.pi * X[:, 1]))[:, None]

    rng = np.random.default_rng(0)
    X, new = rng.uniform(-1, 1, (1000, 2)), rng.uniform(-0.95, 0.95, (500, 2))
    trained = train(X, sine(X), hyperparameter_rows=400)
    error = np.sqrt(np.mean((trained.surrogate.predict(new) - sine(new)) ** 2))
    assert error < 1e-5
    assert np.sqrt(np.mean((trained.out_of_fold[0] - sine(X)) ** 2)) < 1e-4


def test_the_noise_is_found():
    X = points(400, 2)
    Y = wave(X) + np.random.default_rng(1).normal(0, [0.05, 0.5], (400, 2))
    trained = train(X, Y)
    found = np.array(trained.parameters["noise_deviation"])
    assert ((found > [0.025, 0.25]) & (found < [0.1, 1.0])).all()
    ratio = (trained.out_of_fold[0] - Y) / trained.out_of_fold[1]
    assert ((ratio.std(axis=0) > 0.8) & (ratio.std(axis=0) < 1.25)).all()


def test_an_input_that_does_nothing_gets_a_long_scale():
    X = points(150)
    lengths = train(X, wave(X)[:, :1]).parameters["length_scales"][0]
    assert lengths[2] > 20 * max(lengths[:2])


def test_a_category_has_no_order_and_no_derivative():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(-1, 1, 200), rng.integers(0, 3, 200)]).astype(float)

    def truth(X):
        return (np.sin(X[:, 0]) + np.array([0.0, 5.0, -1.0])[X[:, 1].astype(int)])[:, None]

    model = train(X, truth(X), levels=[0, 3]).surrogate
    new = np.column_stack([np.tile(np.linspace(-0.9, 0.9, 7), 3), np.repeat([0.0, 1.0, 2.0], 7)])
    Y, J = model.gradient(new)
    assert model.Z.shape == (200, 4)
    assert np.allclose(Y, truth(new), atol=1e-3)
    assert np.allclose(J[:, 0, 0], np.cos(new[:, 0]), atol=1e-2) and not J[:, :, 1].any()
    import jax

    mean = partial(*model.traceable())
    assert near(jax.jit(jax.vmap(mean))(new), Y, rounding(model))
    assert near(jax.jit(jax.vmap(jax.jacobian(mean)))(new), J, 10 * rounding(model)[:, None])


def test_encoding_standardises_numbers_and_leaves_constants_alone():
    X = np.array([[1.0, 2.0, 7.0], [3.0, 0.0, 7.0]])
    encoding = Encoding.of(X, np.array([0, 3, 0]))
    assert np.array_equal(encoding(X), [[-1, 0, 0, 1, 0], [1, 1, 0, 0, 0]])


def test_a_constant_output_is_returned_exactly_and_without_spread():
    X = points(40)
    trained = train(X, np.column_stack([np.full(40, 0.1), wave(X)[:, 0]]))
    new = points(10, seed=5)
    Y, J = trained.surrogate.gradient(new)
    assert (Y[:, 0] == 0.1).all() and (trained.surrogate.predict(new)[:, 0] == 0.1).all() and not J[:, 0].any()
    assert not trained.surrogate.spread(new)[:, 0].any() and J[:, 1].any()
    assert (trained.out_of_fold[0][:, 0] == 0.1).all()


def test_repeated_rows_with_different_outputs_are_noise():
    X = np.repeat(points(40, 1), 3, axis=0)
    Y = np.sin(X) + np.random.default_rng(2).normal(0, 0.1, X.shape)
    trained = train(X, Y)
    assert 0.05 < trained.parameters["noise_deviation"][0] < 0.2
    assert np.sqrt(np.mean((trained.surrogate.predict(X) - np.sin(X)) ** 2)) < 0.1


def test_repeated_rows_with_equal_outputs_have_a_singular_covariance_and_work():
    X = np.repeat(points(40, 2), 2, axis=0)
    trained = train(X, wave(X)[:, :1])
    assert np.allclose(trained.surrogate.predict(X), wave(X)[:, :1], atol=1e-3)
    singular = Hyperparameters(1e6, 0.0, np.full(2, 100.0))
    L, h = factorised(KERNELS["rbf"], X, singular)
    assert 0 < h.noise <= 1e-4 * h.amplitude
    assert factorised(KERNELS["rbf"], X, h)[1].noise == h.noise  # made again from what was saved, it is the same
    assert np.allclose(L @ L.T, covariance(KERNELS["rbf"], X, h), rtol=1e-12)
    assert np.array_equal(L, cholesky(covariance(KERNELS["rbf"], X, h), lower=True))


def test_a_covariance_that_is_no_number_is_refused_in_one_sentence():
    X = np.array([[0.0], [np.nan]])
    with pytest.raises(StudyError, match=r"covariance of 2 training rows .* length scales 1\b.* finite"):
        factorised(KERNELS["rbf"], X, Hyperparameters(1.0, 1e-6, np.ones(1)))
    with pytest.raises(StudyError, match="none of 2 starts"):
        train(points(20), np.full((20, 1), np.nan))


def test_of_more_rows_an_even_part_is_used_and_the_others_are_predicted():
    X = points(300, 2)
    trained = train(X, wave(X), rows=100)
    assert trained.parameters["rows"] == len(trained.surrogate.Z) == 100
    left = ~(trained.surrogate.encoding(X)[:, None] == trained.surrogate.Z).all(axis=2).any(axis=1)
    assert left.sum() == 200
    assert np.array_equal(trained.out_of_fold[0][left], trained.surrogate.predict(X[left]))
    assert np.array_equal(trained.out_of_fold[1][left], trained.surrogate.spread(X[left]))
    assert not np.array_equal(trained.out_of_fold[0][~left], trained.surrogate.predict(X[~left]))


def test_a_left_out_repeat_of_a_row_never_gets_a_model_that_saw_its_twin():
    X = np.repeat(points(30, 2), 2, axis=0)
    Y = wave(X) + np.random.default_rng(3).normal(0, 0.1, (60, 2))
    predicted, spread = train(X, Y, rows=30).out_of_fold
    assert np.array_equal(predicted[::2], predicted[1::2]) and np.array_equal(spread[::2], spread[1::2])


def test_chosen_rows_lie_far_apart():
    rng = np.random.default_rng(0)
    Z = np.vstack([rng.normal(0, 0.01, (500, 2)), rng.uniform(-1, 1, (100, 2))])
    rows = gp.spread_out(Z, 50, rng)
    assert len(np.unique(rows)) == 50 and (rows >= 500).sum() > 45

    def gap(rows):  # of the row that is worst covered
        return np.linalg.norm(Z[:, None] - Z[rows], axis=2).min(axis=1).max()

    assert gap(rows) < gap(rng.permutation(600)[:50])
    assert np.array_equal(gp.spread_out(np.zeros((5, 2)), 3, rng).shape, (3,))


def test_saved_and_loaded_it_is_the_same_and_the_same_seed_gives_the_same_bytes(tmp_path):
    X = np.column_stack([points(80), np.arange(80) % 2])
    first, second = (train(X, wave(X), levels=[0, 0, 0, 2], threads=t) for t in (1, 2))
    for trained, name in ((first, "a"), (second, "b")):
        (tmp_path / name).mkdir()
        trained.save(tmp_path / name)
    files = [(tmp_path / name / gp.ARRAYS).read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]
    assert first.parameters == second.parameters
    loaded, new = module("gaussian_process").load(tmp_path / "a"), X[:9] + 0.1
    for said, again in zip(loaded.gradient(new), first.surrogate.gradient(new), strict=True):
        assert np.array_equal(said, again)
    assert np.array_equal(loaded.spread(new), first.surrogate.spread(new))
    assert gp.logged(tmp_path)["flavor"] == "arrays"


def test_parts_of_a_batch_give_what_the_whole_gives(exact, monkeypatch):
    model, new = exact[2].surrogate, points(30, seed=6)
    # A spread is the root of a difference of nearly equal numbers: what rounding leaves is an error of its square.
    whole = model.predict(new), model.spread(new) ** 2, model.gradient(new)[1]
    monkeypatch.setattr(gp, "BLOCK", 7 * len(model.Z))
    parts = model.predict(new), model.spread(new) ** 2, model.gradient(new)[1]
    for a, b, least in zip(whole, parts, (1e-8, 1e-10, 1e-8), strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=least)


def test_factors_that_are_too_large_to_keep_are_made_again(exact, monkeypatch):
    model = gp.GaussianProcess(*(getattr(exact[2].surrogate, f) for f in gp.GaussianProcess.__dataclass_fields__))
    monkeypatch.setattr(gp, "KEPT", len(model.Z) ** 2)
    assert np.array_equal(model.spread(exact[0]), exact[2].surrogate.spread(exact[0]))
    assert len(model._factors) == 1


def test_signal_that_few_rows_show_as_noise_is_found_on_all(monkeypatch):
    X = points(300, 2)
    Y = np.sin(6 * X[:, :1])
    Z, y = Encoding.of(X, np.zeros(2, int))(X), Y[:, 0] / Y.std()
    start = ml.starts(2, 1, np.random.default_rng(0))[0]
    few, at = ml.climb(KERNELS["rbf"], Z[:15], y[:15], start)
    assert few - ml._of_white_noise(y[:15]) < ml.GAIN * 15  # the trap is there
    stuck = ml.climb(KERNELS["rbf"], Z[:200], y[:200], at)[1]
    assert Hyperparameters.from_log(stuck).noise > 0.5  # and once in, there is no way out
    monkeypatch.setattr(ml, "FEW", 15)
    assert train(X, Y, restarts=1).parameters["noise_deviation"][0] < 1e-2
