"""Surrogates that predict by inverting a decoder: derivatives by four ways, the classic recursion, closed forms."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize

from preimage.data.rows import Rows
from preimage.learning import line, recursion
from preimage.problems.loading import load as load_problem
from preimage.surrogates import base
from preimage.surrogates.kinds.latent import Latent

from ..conftest import refusal

SPEC = {
    "decoder": "linear",
    "layers": [6],
    "standardised": True,
    "inner": {"method": "lbfgs", "steps": 8, "start": 0, "prior": 0},
    "outer": {"method": "lbfgs", "iterations": 20},
    "gradient": "implicit",
    "begin": "regression",
    "folds": 2,
}
PAIRS = 2 * recursion.LATENTS - 4


def test_the_recursion_ends_where_it_is_known_to():
    course = recursion.training(2.5)
    assert (course.a[-1], course.b[-1]) == pytest.approx((1.99993, -3.99985), abs=5e-6)


def test_ten_steps_are_biased_by_what_the_closed_form_says():
    course = recursion.training(1.7, prediction=10)
    assert (course.a[-1], course.b[-1]) == pytest.approx((1.98680, -3.97361), abs=5e-6)
    for steps in (10, 20):
        a, b = recursion.fixed_point(steps)
        found = recursion.predicted(a, b, PAIRS, steps)[0]
        assert np.allclose(found, recursion.LATENTS, rtol=0, atol=1e-12)  # a loss of 0 at parameters that are wrong


def test_a_consistent_loss_is_smallest_where_a_peer_says():
    def loss(p):
        return ((recursion.predicted(*p, PAIRS, 10)[0] - recursion.LATENTS) ** 2).sum()

    found = minimize(loss, [2.2, -3.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-20})
    assert found.x == pytest.approx(recursion.fixed_point(10), abs=1e-6)


def test_implicit_derivatives_lead_to_the_truth():
    line.enable_double()
    course = line.descent(2.5, line.inner.Inner("gradient_descent", recursion.ALPHA, 60), 1500)
    assert (course.a[-1], course.b[-1]) == pytest.approx((2, -4), abs=1e-6)


def test_unrolled_derivatives_are_those_of_the_recursion_and_of_differences():
    line.enable_double()
    by_hand, unrolled, differences, far, implicit = (np.array([g["by_a"], g["by_b"]]) for g in line.gradients_agree())
    assert np.allclose(unrolled, by_hand, rtol=1e-12)
    assert np.allclose(unrolled, differences, rtol=1e-7)
    assert np.allclose(far, implicit, rtol=1e-12)  # equal where the inner problem has converged
    assert not np.allclose(unrolled, implicit, rtol=1e-3)  # and not where it has not


@pytest.fixture(scope="module")
def network():
    """A decoder from 2 latent to 3 observed coordinates, its parameters and an observation near its range."""
    import jax.numpy as jnp

    line.enable_double()
    from preimage.surrogates.latent import decoders

    f = decoders.Network(2, 3, (5,))
    p = {k: jnp.asarray(v) for k, v in f.initial(np.random.default_rng(0)).items()}
    return f, p, f(p, jnp.array([0.6, -0.4])) + jnp.array([0.02, -0.01, 0.03])


@pytest.mark.parametrize(
    "method, rate, steps",
    [("gradient_descent", 0.15, 400), ("momentum", 0.03, 400), ("adam", 0.02, 1500), ("lbfgs", None, 12)],
)
def test_every_solver_finds_scipys_minimum_and_its_derivatives(network, method, rate, steps):
    import jax

    from preimage.surrogates.latent import inner

    f, p, x = network
    how = inner.Inner(method, rate, steps, prior=0.01)

    @jax.jit
    def found_and_slopes(x):
        value = inner.solve(f, how, p, x)
        both = [jax.jacrev(partial(inner.solve, f, replace(how, gradient=g), p))(x) for g in inner.GRADIENTS]
        return value, *both

    value, implicit, unrolled = found_and_slopes(x)
    peer = minimize(lambda y: float(inner.misfit(f, p, y, x, 0.01)), np.zeros(2), tol=1e-14)
    assert np.asarray(value) == pytest.approx(peer.x, abs=1e-6)
    # Adam stays in motion by about its rate times rounding.
    assert np.allclose(implicit, unrolled, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def curved():
    """Rows of a curve in three dimensions, noise-free, with a network trained on them."""
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, (60, 1))
    X = np.hstack([3 * y, y**2, np.tanh(2 * y)])
    outer = {"method": "adam", "iterations": 30, "rate": 0.001}
    spec = {**SPEC, "decoder": "network", "inner": {**SPEC["inner"], "steps": 12}, "outer": outer}
    return X, 10 * y + 5, Latent(**spec).train(Rows.plain(X, 10 * y + 5), np.random.default_rng(1))


@pytest.mark.long
def test_a_network_learns_a_curve_and_its_gradient_is_that_of_differences(curved):
    X, Y, trained = curved
    model = trained.surrogate
    assert np.sqrt(((model.predict(X) - Y) ** 2).mean()) < 0.05 * Y.std()
    model = replace(model, inner=replace(model.inner, steps=40))  # differences need the inner problem solved to the end
    found, slopes = model.gradient(X[:5])
    assert np.array_equal(found, model.predict(X[:5]))
    h = 1e-4
    for j in range(3):
        step = h * np.eye(3)[j]
        assert np.allclose(
            slopes[:, :, j], (model.predict(X[:5] + step) - model.predict(X[:5] - step)) / (2 * h), atol=1e-4
        )
    assert (model.spread(X) > 0).all()
    assert np.isfinite(trained.out_of_fold[0]).all()


def test_a_saved_model_is_the_same_and_holds_no_code(curved, tmp_path):
    X, _, trained = curved
    trained.save(tmp_path)
    again = base.kept("latent", tmp_path, "mine")
    assert np.array_equal(again.predict(X), trained.surrogate.predict(X))
    assert again.traceable().function == trained.surrogate.traceable().function
    assert {p.suffix for p in tmp_path.iterdir()} == {".npz", ".json"}
    (tmp_path / "latent.npz").write_bytes(b"x")
    assert "mine: its files are damaged" in refusal(base.kept, "latent", tmp_path, "mine")


def test_training_by_inversion_of_a_line_is_least_squares_of_y_on_x(rng):
    X = 2 * recursion.LATENTS - 4 + rng.normal(0, 0.8, (3, 5))
    Y = recursion.LATENTS + rng.normal(0, 0.3, (3, 5))
    line.enable_double()
    found, floors = line.by_inversion(X, Y)
    for x, y, (a, b), floor in zip(X, Y, found, floors, strict=True):
        slope, intercept = np.polyfit(x, y, 1)
        assert (a, b) == pytest.approx((1 / slope, -intercept / slope), rel=1e-5)
        assert floor == pytest.approx(((y - slope * x - intercept) ** 2).mean(), rel=1e-8)
    assert line.regressed(Y, X)[0] == pytest.approx(np.array([np.polyfit(y, x, 1) for x, y in zip(X, Y, strict=True)]))


def test_a_line_is_learned_in_its_own_units_whatever_those_are():
    X = np.linspace(-24, 16, 30)[:, None]
    Y = load_problem({"simulator": "linear_latent"}).simulate(X)
    spec = {**SPEC, "begin": "random"}
    said = Latent(**spec).train(Rows.plain(X, Y), np.random.default_rng(0)).parameters
    assert (said["slope"], said["intercept"]) == pytest.approx((2, -4), abs=1e-6)


@pytest.mark.long
def test_the_same_seed_gives_the_same_numbers():
    X = np.linspace(-24, 16, 30)[:, None]
    spec = {**SPEC, "begin": "random"}
    one, two = (Latent(**spec).train(Rows.plain(X, X / 2 + 2), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.surrogate.parameters["slope"], two.surrogate.parameters["slope"])
    assert one.curve[-1][1] == two.curve[-1][1]


def test_bad_input_is_one_clear_message():
    rows = Rows.plain(np.linspace(0, 1, 20)[:, None], np.linspace(0, 1, 20)[:, None])
    category = replace(rows, levels=np.array([2]))
    assert "input 'x0' is a category" in refusal(Latent(**SPEC).train, category, np.random.default_rng(0))
    wild = {**SPEC, "inner": {"method": "gradient_descent", "steps": 500, "rate": 50.0, "start": 1.0, "prior": 0}}
    wild = {key: value for key, value in wild.items() if key not in ("gradient", "begin")}
    said = refusal(Latent(**wild, gradient="unrolled", begin="random").train, rows, np.random.default_rng(0))
    assert "diverged" in said and "smaller" in said


@pytest.fixture
def rng():
    return np.random.default_rng(7)
