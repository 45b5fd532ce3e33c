"""Bounds of Gaussian processes on boxes: nothing that a model predicts is beyond them, whatever its weights."""

import numpy as np
import pytest
from scipy.optimize import minimize

from preimage.core.space import Input, Space
from preimage.exact import process_model
from preimage.exact.model import Side
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.gaussian_process import GaussianProcess
from preimage.surrogates.kernels import Hyperparameters

LABELS = ("a", "b", "c")
NORM = process_model.squared_norm
ENDS = (Side((1.0, 0.0), -1.0), Side((1.0, 0.0), 1.0), Side((0.5, -2.0), -1.0), Side((0.5, -2.0), 1.0))


def model_of(rng, kernel):
    """Return a random process of two outputs and its space: with categories, and weights of any size."""
    d, n = int(rng.integers(1, 5)), int(rng.integers(1, 40))
    levels = np.where((rng.random(d) < 0.25) & (np.arange(d) > 0), 3, 0)
    low, width = rng.normal(size=d) * 10.0 ** rng.integers(-2, 3), 10.0 ** rng.uniform(-2, 3, d)
    space = Space(
        tuple(
            Input(f"x{j}", 0, 2, categories=LABELS)
            if levels[j]
            else Input(f"x{j}", float(low[j]), float(low[j] + width[j]))
            for j in range(d)
        )
    )
    X = np.where(levels > 0, rng.integers(0, 3, (n, d)), rng.uniform(space.low, space.high, (n, d)))
    encoding = Encoding(levels, np.where(levels, 0.0, space.low + width / 3), np.where(levels, 1.0, width / 3))
    Z = np.asarray(encoding(X), float)
    weights = rng.normal(size=(2, n)) * 10.0 ** rng.uniform(-1, 7)
    parameters = tuple(Hyperparameters(1.0, 1e-6, 10.0 ** rng.uniform(-0.7, 1, Z.shape[1])) for _ in range(2))
    centre, scale = rng.normal(size=2) * 100, 10.0 ** rng.uniform(-2, 2, 2)
    return GaussianProcess(kernel, encoding, centre, scale, Z, weights, parameters), space, X


def boxes_of(rng, space, X, count):
    """Return boxes of all sizes around random points and rows, and the whole space."""
    width = (space.high - space.low) * 10.0 ** rng.uniform(-6, 0, (count, 1))
    middle = np.where(
        rng.random((count, 1)) < 0.5,
        rng.uniform(space.low, space.high, (count, len(width[0]))),
        X[rng.integers(0, len(X), count)],
    )
    start, end = (np.clip(middle + sign * width / 2, space.low, space.high) for sign in (-1, 1))
    held = rng.random(start.shape) < 0.2
    start, end = np.where(held, middle, start), np.where(held, middle, end)
    start = np.where(space.categorical, np.floor(start), start)
    end = np.where(space.categorical, np.maximum(np.floor(end), start), end)
    return np.vstack([space.low, start]), np.vstack([space.high, end])


def adversaries(rng, model, weights, start, end, X):
    """Return points of a box (k, d): random ones, corners, rows moved into it, and where a sum of outputs is least and
    largest as far as searches get."""
    d, category = len(start), model.encoding.levels > 0
    points = [
        rng.uniform(start, end, (30, d)),
        np.where(rng.random((20, d)) < 0.5, start, end),
        np.clip(X[:20], start, end),
    ]
    points[0] = np.where(category, np.floor(rng.uniform(start, end + 1, (30, d))), points[0])
    free = (end > start) & ~category
    for sign in (1, -1):
        x = points[0][0].copy()

        def down(z, x=x, sign=sign):
            x[free] = z
            Y, J = model.gradient(x[None])
            return sign * Y[0] @ weights, sign * (weights @ J[0])[free]

        if free.any():
            found = minimize(
                down, x[free], jac=True, bounds=list(zip(start[free], end[free], strict=True)), method="L-BFGS-B"
            )
            x[free] = np.clip(found.x, start[free], end[free])
        points.append(x[None])
    return np.clip(np.concatenate(points), start, end)


def check(seed, count=8):
    """Return how many points were compared with the bounds of boxes of a random model; none may be beyond one."""
    rng, compared = np.random.default_rng(seed), 0
    model, space, X = model_of(rng, ("rbf", "matern52")[seed % 2])
    boxes = process_model.ProcessModel(model.exact_form(), space, ENDS, model.predict)
    start, end = boxes_of(rng, space, X, count)
    state = boxes.fresh(len(start))
    ends, _ = boxes.bound(start, end, state)
    for a, b, own, plane, slope in zip(start, end, ends, *boxes.planes(state), strict=True):
        P = adversaries(rng, model, np.array(ENDS[rng.integers(0, 2) * 2].weights), a, b, X)
        Y = model.predict(P) @ np.array([side.weights for side in ENDS]).T
        assert (Y[:, [0, 2]] >= own[[0, 2]]).all() and (Y[:, [1, 3]] <= own[[1, 3]]).all(), seed
        beyond = Y - plane - P @ slope.T
        assert (beyond[:, [0, 2]] >= 0).all() and (beyond[:, [1, 3]] <= 0).all(), seed
        compared += len(P)
    return compared


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_beyond_the_bounds(seed):
    assert check(seed) > 500


@pytest.mark.long
def test_nothing_is_beyond_the_bounds_of_many_models():
    assert sum(check(seed, 40) for seed in range(300)) > 800_000


def test_a_planted_fault_is_caught(monkeypatch):
    monkeypatch.setattr(process_model, "squared_norm", lambda form, m: 1e-4 * NORM(form, m))
    caught = 0
    for seed in range(12):
        try:
            check(seed)
        except AssertionError:
            caught += 1
    assert caught > 3


def test_a_norm_of_weights_that_cancel_is_not_too_small():
    """By hand: two rows at a distance of 1e-5, of weights 1e6 and -1e6, have the norm of about 1e6 times that."""
    rng = np.random.default_rng(0)
    model, *_ = model_of(rng, "rbf")
    form = model.exact_form()
    rows, weights = np.array([[[0.0], [1e-5]]]), np.array([[1e6, -1e6]])
    form = type(form)(form.columns, "rbf", np.zeros(1), np.ones(1), np.ones((1, 1)), rows, weights)
    exact = 2e12 * -np.expm1(-0.5e-10)
    assert exact <= process_model.squared_norm(form, 0) <= exact * 1.01
