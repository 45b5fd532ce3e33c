"""Fits: models against solutions written apart from them, derivatives against differences, searches against truth."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares as scipy_least_squares
from sklearn.metrics import mean_squared_log_error

from preimage.calibration import engine, fit, forecasts, losses, one_by_one, profiles, reference
from preimage.core import polytope
from preimage.core.dynamics import Known
from preimage.core.space import Input, Space
from preimage.data.series import Series
from preimage.problems import user_series
from preimage.problems.built_in import lotka_volterra, seird, sir
from preimage.support import stopping

from ..conftest import refusal
from ..running import ROOT

TRUE = np.array([4.0, 0.03, 2.5, 30.0, 0.7, 9.0, 5.2])
POPULATION = 2e7
BOX = Space(tuple(Input(name, *bounds) for name, bounds in seird.BOUNDS.items()))


def five_states(x, days, infected):
    """The epidemic as its issue states it: five states, the power taken as it stands."""
    R0, theta, k, L, Rt, recovery, onset = x
    rho, alpha = 1 / recovery, 1 / onset

    def rates(t, y):
        S, E, I, _, _ = y
        new = ((R0 - Rt) / (1 + (t / L) ** k) + Rt) * rho * S * I / POPULATION
        return [-new, new - alpha * E, alpha * E - rho * I, (1 - theta) * rho * I, theta * rho * I]

    y0 = [POPULATION - infected, 0, infected, 0, 0]
    y = solve_ivp(rates, (0, days[-1]), y0, "DOP853", t_eval=days, rtol=1e-12, atol=1e-9).y
    return np.stack([y[2] + y[3] + y[4], y[4]], axis=1)


def epidemic(days=60, infected=50.0, x=TRUE, **settings):
    times = np.arange(float(days))
    values = five_states(x, times, infected)
    known = Known({"cases": infected, "deaths": 0.0}, POPULATION)
    series = Series(times, values, ("cases", "deaths"), (), {}, known)
    return made(seird.build(), series, **settings)


def made(problem, series, loss="msle", window=20, weights="recent", **settings):
    names = tuple(problem.inputs)
    start = np.array([problem.start[n] for n in names])
    columns = tuple(range(len(series.names)))
    weight = losses.by_age(len(series), window, weights)
    return fit.Fit(problem.dynamics, names, series, loss, weight, columns, start, **settings)


def test_three_states_are_the_epidemic_of_five():
    found = epidemic()
    assert np.allclose(found.curves(TRUE[None])[0], found.series.values, rtol=1e-7)


def test_the_loss_is_scikit_learns_with_normalised_weights_of_the_window():
    found = epidemic()
    x = found.start
    modelled = five_states(x, found.series.times, 50.0)[-20:]
    expected = mean_squared_log_error(found.series.values[-20:], modelled, sample_weight=1 / np.arange(20, 0, -1))
    for value in (found.predict(x[None])[0, 0], found.by_scipy(x), found.reference(x[None])[0]):
        assert value == pytest.approx(expected, rel=1e-6)


def test_a_window_longer_than_the_series_takes_all_of_it():
    assert np.allclose(losses.by_age(3, 20, "recent"), np.array([1 / 3, 1 / 2, 1]) / (1 / 3 + 1 / 2 + 1))
    assert np.allclose(losses.by_age(4, 2, "equal"), [0, 0, 0.5, 0.5])


def test_negative_values_are_clipped_before_the_logarithm():
    assert losses.scaled("msle", np.array([-3.0, 0.0, np.e - 1])).tolist() == pytest.approx([0, 0, 1])
    assert np.isfinite(losses.scaled("log", np.array([-1.0]))).all()


@pytest.mark.some(2)
@pytest.mark.parametrize("x", [TRUE, [3, 0.05, 0.6, 30, 0.7, 9, 5.3], [3, 0.05, 1.5, 0.5, 0.7, 9, 5.3]])
def test_gradients_agree_exact_reference_and_complex_step(x):
    x = np.array(x, float)
    found = epidemic(x=TRUE * 1.02)
    right = reference.gradient(found, x)
    exact = found.gradient(x[None])[1][0, 0]
    steps = [found.by_scipy(x + 1e-30j * e, rtol=1e-12, atol=1e-12).imag / 1e-30 for e in np.eye(7)]
    assert np.allclose(steps, right, rtol=1e-8, atol=1e-9 * np.abs(right).max())
    assert np.allclose(exact, right, rtol=1e-6, atol=1e-7 * np.abs(right).max())


@pytest.mark.some(2)
@pytest.mark.parametrize("edge", [{"k": 0.0}, {"L": 0.0}, {"k": 0.0, "L": 0.0}, {"k": 0.3}, {"k": 5.0, "L": 0.0}])
def test_edges_where_a_power_of_time_has_no_slope_have_finite_derivatives(edge):
    x = np.array([{**seird.START, **edge}[n] for n in seird.BOUNDS])
    found = epidemic()
    for form, data in ((found.form, found.data), found.stepped(1)):
        from preimage.calibration import traced

        f, g = traced.value_and_gradient(form, data, x)
        assert np.isfinite(f) and np.isfinite(g).all()
    assert np.isfinite(reference.gradient(found, x)).all()


def test_the_reference_is_a_closed_form_to_fifteen_digits():
    """y' = -a y: the derivative of exp(-a t) by a is -t exp(-a t)."""
    model = user_series.model(
        lambda t, y, p: [-p["a"] * y[0]], "decay", {"ode": {"states": {"y": 1.0}}, "inputs": {"a": {}}}
    )
    times = np.array([0.0, 0.5, 3.0])
    a = np.clongdouble(0.7) + np.clongdouble(1j) * 1e-40
    y = reference.integrate(model, {"a": a}, Known({}), times)[:, 0]
    assert np.allclose((y.imag / 1e-40).astype(float), -times * np.exp(-0.7 * times), rtol=1e-15, atol=1e-17)


def test_fixed_steps_converge_to_the_adaptive_solver_at_fourth_order():
    from preimage.calibration import traced

    found = epidemic()
    right = np.asarray(traced.series_at(found.form, found.data, TRUE[None]))
    errors = []
    for steps in (1, 2, 4):
        form, data = found.stepped(steps)
        errors.append(np.abs(np.asarray(traced.series_at(form, data, TRUE[None])) / right - 1).max())
    assert errors[0] / errors[1] > 8 and errors[1] / errors[2] > 8 and errors[2] < 1e-6


@pytest.mark.long
def test_least_squares_finds_the_truth_from_far_away_and_stays_in_the_box():
    found = epidemic(days=80)
    X0 = polytope.sample(BOX, 40, np.random.default_rng(0), "latin_hypercube")
    ends = engine.search(found, BOX, X0, BOX.free, 1)
    assert BOX.contains(ends.X).all()
    assert ends.loss.min() < 1e-9
    assert (ends.loss < 1e-6).mean() > 0.6
    assert ends.loss[np.argmin(ends.loss)] == pytest.approx(
        found.reference(ends.X[[np.argmin(ends.loss)]])[0], abs=1e-12
    )
    again = engine.search(found, BOX, X0, BOX.free, 1)
    assert np.array_equal(again.X, ends.X) and again.message == ends.message
    assert [h[0] for h in ends.history] == list(range(1, len(ends.history) + 1))


@pytest.mark.long
def test_held_parameters_stay_and_others_agree_with_scipys_bounded_least_squares():
    problem = sir.build()
    times = np.arange(20.0)
    values = np.stack([3 * np.exp(-((times - 8) ** 2) / 20) + 1, np.minimum(times, 12) * 2], axis=1)
    series = Series(times, values, ("infected", "recovered"), (), {}, Known({"infected": 1.0, "recovered": 0.0}))
    found = made(problem, series, "mse", None, "equal")
    box = Space(tuple(Input(n, *b) for n, b in problem.inputs.items())).fix({"recovery": 0.4})
    x0 = np.array([0.02, 0.4, 40.0])
    ends = engine.search(found, box, np.tile(x0, (4, 1)), box.free, 4)
    assert (ends.X[:, 1] == 0.4).all()

    def residuals(v):
        modelled = found.curves(np.array([[v[0], 0.4, v[1]]]))[0]
        return ((modelled - values) / np.sqrt(2 * len(times))).ravel()

    peer = scipy_least_squares(residuals, x0[[0, 2]], bounds=(box.low[[0, 2]], box.high[[0, 2]]), xtol=1e-12)
    assert ends.loss.min() == pytest.approx(2 * peer.cost, rel=1e-6)


def straight(x, p):
    return (p["a"] + p["b"]) * x["x"] + p["c"]


def straight_in_numpy(x, p):
    return float(p["a"] + p["b"]) * x["x"] + float(p["c"])


@pytest.mark.parametrize(("function", "traceable"), [(straight, True), (straight_in_numpy, False)])
def test_profiles_hold_the_truth_and_name_what_the_data_does_not_say(function, traceable):
    """y = (a + b) x + c: only the sum is known, and the profile of a is flat."""
    spec = {"curve": {"at": ["x"]}, "inputs": {"a": {}, "b": {}, "c": {}}, "outputs": {"y": None}}
    model = user_series.model(function, "line", spec)
    assert model.traceable is traceable
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 200)
    values = (1.0 * x + 0.3 + 0.01 * rng.standard_normal(200))[:, None]
    series = Series(x, values, ("y",), (), {"x": x}, Known({}))
    found = fit.Fit(model, ("a", "b", "c"), series, "mse", losses.by_age(200, None, "equal"), (0,), np.full(3, 0.5))
    box = Space(tuple(Input(n, 0.0, 1.0) for n in "abc"))
    slope, cov = np.polyfit(x, values[:, 0], 1, cov="unscaled")
    least_squares = np.array([[slope[0] / 2, slope[0] / 2, slope[1]]])
    result = profiles.profile(found, box, least_squares)
    rows = {r["parameter"]: r for r in profiles.findings(result, found, box)}
    assert result.determined == 2
    assert not rows["a"]["determined"] and not rows["b"]["determined"]
    assert rows["c"]["determined"] and rows["c"]["low"] < 0.3 < rows["c"]["high"]
    # The interval of a linear model is known: that of ordinary least squares.
    sd = np.sqrt(cov[1, 1] * ((values[:, 0] - np.polyval(slope, x)) ** 2).sum() / 198)
    assert rows["c"]["high"] - rows["c"]["low"] == pytest.approx(2 * 1.972 * sd, rel=0.05)


UNIT = Space((Input("a", 0.0, 1.0),))


def decay():
    """A fit of a decay that JAX can't trace and that has no solution above a rate of 0.9; and its times."""

    def rates(t, y, p):
        return [-float(p["a"]) * y[0] if p["a"] < 0.9 else float("nan")]

    model = user_series.model(rates, "decay", {"ode": {"states": {"y": 1.0}}, "inputs": {"a": {}}})
    times = np.arange(6.0)
    values = np.exp(-0.5 * times)[:, None] + 0.05 * np.cos(9 * times)[:, None]
    series = Series(times, values, ("y",), (), {}, Known({"y": 1.0}))
    return fit.Fit(model, ("a",), series, "mse", losses.by_age(6, None, "equal"), (0,), np.array([0.3])), times


def test_profiles_one_by_one_that_are_asked_to_end_go_on_where_they_were(tmp_path, monkeypatch):
    found, _ = decay()
    whole, searches, minimise = profiles.profile(found, UNIT, np.array([[0.45]])), [], one_by_one.minimise

    def counting(*arguments):
        searches.append(arguments)
        return minimise(*arguments)

    monkeypatch.setattr(one_by_one, "minimise", counting)
    monkeypatch.setattr(stopping, "asked", lambda: len(searches) == 8)
    with pytest.raises(SystemExit):
        profiles.profile(found, UNIT, np.array([[0.45]]), tmp_path / "state")
    before = len(searches)
    again = profiles.profile(found, UNIT, np.array([[0.45]]), tmp_path / "state")
    for one, other in zip(whole, again, strict=True):
        assert np.array_equal(one, other)
    # The best fit is searched for again, and each held value once in both attempts.
    assert before == 8 and len(searches) == len(whole.value) + 2


def test_of_a_model_that_fails_somewhere_the_profile_ends_there():
    """y' = -a y, of which the solver of a user's rates knows nothing for a above 0.9."""

    found, times = decay()
    result = profiles.profile(found, UNIT, np.array([[0.45]]))
    (row,) = profiles.findings(result, found, UNIT)
    assert np.isinf(result.loss[result.value > 0.9]).all()
    assert row["low"] < 0.5 < row["high"] < 0.9 and row["determined"]
    # Beside the edge of what can be solved there is no difference to take.
    edge = one_by_one.jacobian(found, np.zeros(1), np.ones(1), np.array([0.9 - 1e-9]))
    inside = one_by_one.jacobian(found, np.zeros(1), np.ones(1), np.array([0.5]))
    assert (edge == 0).all() and np.allclose(inside[:, 0], -times * np.exp(-0.5 * times) / np.sqrt(6), atol=1e-5)


@pytest.mark.long
def test_many_parameters_are_differentiated_backwards_and_agree_with_a_complex_step(monkeypatch):
    """A chain of compartments that drain one into the next."""
    from preimage.calibration import traced

    names = ("k0", "k1", "k2")
    monkeypatch.setattr(traced, "MANY_PARAMETERS", len(names))

    def rates(t, y, p):
        flows = [p[n] * v for n, v in zip(names, y, strict=True)]
        return [-flows[0]] + [a - b for a, b in pairwise(flows)]

    states = {f"y{j}": float(j == 0) for j in range(len(names))}
    model = user_series.model(rates, "chain", {"ode": {"states": states}, "inputs": {n: {} for n in names}})
    x = np.array([0.5, 1.2, 2.0])
    series = Series(np.arange(5.0), np.full((5, len(names)), 0.1), tuple(states), (), {}, Known({}))
    weights = losses.by_age(5, None, "equal")
    found = fit.Fit(model, names, series, "mse", weights, (0, 1, 2), x, rtol=1e-8, solver="Tsit5")
    value, slope = found.gradient(x[None])
    steps = [found.by_scipy(x + 1e-30j * e, rtol=1e-11, atol=1e-12).imag / 1e-30 for e in np.eye(len(names))]
    assert np.allclose(slope[0, 0], steps, rtol=1e-5, atol=1e-9)
    assert value[0, 0] == pytest.approx(found.reference(x[None])[0], rel=1e-6)


def test_pelts_of_hares_and_lynxes_are_fitted_where_a_long_run_of_stan_has_its_means():
    """Carpenter 2018, "Predator-prey population dynamics": posterior means of the four rates and both first counts."""
    stan = np.array([0.5469, 0.02775, 0.8001, 0.02409, 34.04, 5.936])
    problem = lotka_volterra.build()
    pelts = pd.read_csv(ROOT / "config/data/lynx_hare_1900_1920.csv").to_numpy(float)
    series = Series(pelts[:, 0] - pelts[0, 0], pelts[:, 1:], ("hare", "lynx"), (), {}, Known({}))
    found = made(problem, series, "log", None, "equal", rtol=1e-7)
    box = Space(tuple(Input(n, *b) for n, b in problem.inputs.items()))
    x, loss = one_by_one.minimise(found, box.low, box.width, found.start, box.free)
    assert x == pytest.approx(stan, rel=0.05)
    # No worse than where the means of the posterior are: those of a flat prior would be near, not at, the best.
    assert loss < found.reference(stan[None])[0]


def test_naive_forecasts_are_what_they_are_called():
    values = np.array([[10.0], [12.0], [14.0]])
    series = Series(np.arange(3.0), values, ("y",), (), {}, Known({}))
    found = forecasts.naive(series, np.array([3.0, 5.0]))
    assert found["last value"].ravel().tolist() == [14, 14]
    assert found["last week's growth"].ravel().tolist() == [16, 20]


def numpy_rates(t, y, p):
    return [p["a"] * np.sin(float(y[0]))]


def test_a_users_right_hand_side_is_exact_in_jax_and_by_differences_in_numpy():
    spec = {"ode": {"states": {"u": "u0", "v": 1.0}}, "inputs": {"a": {}, "u0": {}}}
    traced_one = user_series.model(lambda t, y, p: [-p["a"] * y[0] * y[1], jnp.sin(t) * y[1]], "mine", spec)
    assert traced_one.traceable and traced_one.observed == ("u", "v")
    plain = user_series.model(numpy_rates, "mine", {"ode": {"states": {"u": 1.0}}, "inputs": {"a": {}}})
    assert not plain.traceable
    message = refusal(user_series.model, numpy_rates, "mine", {"ode": {"states": {"u": "b"}}, "inputs": {"a": {}}})
    assert "problem.ode.states.u" in message and "'b'" in message


def test_rates_that_are_nan_or_of_the_wrong_shape_are_a_failure_of_that_point_alone():
    def rates(t, y, p):
        return [float(np.log(float(y[0]) - p["a"]))] if p["a"] < 1 else [float("nan")]

    model = user_series.model(rates, "mine", {"ode": {"states": {"u": 1.5}}, "inputs": {"a": {}}})
    series = Series(np.arange(4.0), np.ones((4, 1)), ("u",), (), {}, Known({"u": 1.5}))
    found = fit.Fit(model, ("a",), series, "mse", losses.by_age(4, None, "equal"), (0,), np.array([0.1]))
    loss = found.losses(np.array([[-1.0], [2.0]]))
    assert np.isfinite(loss).tolist() == [True, False]
    wrong = user_series.model(lambda t, y, p: [0.0, 0.0], "mine", {"ode": {"states": {"u": 1.5}}, "inputs": {"a": {}}})
    assert "expected 1 numbers" in refusal(user_series.checked, wrong, {"a": 1.0}, {})


@pytest.mark.parametrize("problem", [seird, sir, lotka_volterra])
def test_models_built_twice_are_equal_and_share_their_compiled_programs(problem):
    assert problem.build().dynamics == problem.build().dynamics
    assert hash(problem.build().dynamics) == hash(problem.build().dynamics)


def test_lotka_volterra_keeps_its_invariant():
    problem = lotka_volterra.build()
    x = np.array([problem.start[n] for n in problem.inputs])
    times = np.linspace(0, 20, 50)
    series = Series(times, np.ones((50, 2)), ("hare", "lynx"), (), {}, Known({}))
    hare, lynx = made(problem, series, "log", None, "equal").curves(x[None])[0].T
    p = problem.start
    invariant = (
        p["conversion"] * hare - p["decline"] * np.log(hare) + p["predation"] * lynx - p["growth"] * np.log(lynx)
    )
    assert np.ptp(invariant) < 1e-6
