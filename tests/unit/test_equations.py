"""Equations as modellers write them: inputs that begin and end, stiff kinetics, solutions that blow up; each against a
closed form or a solver of other people's."""

from collections import namedtuple
from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from preimage.calibration import (
    building,
    engine,
    fit,
    jumps,
    losses,
    overlooked,
    rosenbrock,
    solvers,
    solving,
    traced,
    trial,
)
from preimage.calibration.course import Course
from preimage.core.dynamics import Known
from preimage.core.space import Input, Space
from preimage.data.clock import Clock
from preimage.data.series import Series
from preimage.inversion.logarithmic import Logarithms
from preimage.problems import user_series

from ..conftest import refusal

Asked = namedtuple("Asked", "fit space")


def made(rates, states, x, times, observed=None, solver=None, **settings):
    """A fit of a right-hand side to its own start's observations, which are 1, with what is found by trying."""
    spec = {
        "ode": {"states": states},
        "inputs": {name: {"low": low, "high": high} for name, (_, low, high) in x.items()},
    }
    spec |= {"outputs": dict.fromkeys(observed)} if observed else {}
    model = user_series.model(rates, "own:rates", spec)
    times = np.asarray(times, float)
    series = Series(times, np.ones((len(times), len(model.observed))), model.observed, (), {}, Known({}), **settings)
    weights = losses.by_time(times, None, "equal")
    start = np.array([value for value, *_ in x.values()])
    found = fit.Fit(
        model, tuple(x), series, "mse", weights, tuple(range(len(model.observed))), start, course=Course(series.start)
    )
    return solving.settled(found, series, {**spec, "solver": solver or {}}, run=True)


def everywhere(found, X):
    """The series at parameters (n, d) by every solver that a search, a report and a check use, at full tolerance."""
    yield np.asarray(traced.series_at(found.form, found.data, X))
    yield np.array([found.modelled(x) for x in X])
    yield np.array([found.modelled(x, **found.reference_options) for x in X])


# -- jumps -------------------------------------------------------------------------------------------------------------


def injected(begin, end, dose, k, t):
    """What there is at times of what leaves at a rate k, injected evenly from begin to end, of 2 at the start."""
    length, level = end - begin, dose / (end - begin) / k
    during = level * (1 - np.exp(-k * (t - begin)))
    after = level * (1 - np.exp(-k * length)) * np.exp(-k * (t - end))
    return 2 * np.exp(-k * t) + np.where(t < begin, 0, np.where(t < end, during, after))


def injection(begin, end, xp):
    def rates(t, y, p):
        inside = xp.where((t >= begin) & (t < end), 1.0, 0.0)
        return [inside * p["dose"] / (end - begin) - p["k"] * y[0]]

    return rates


DOSE = {"dose": (40.0, 1, 100), "k": (0.3, 0.01, 2)}


def test_an_injection_of_minutes_among_hourly_rows_is_seen_by_every_solver():
    hours = np.arange(25.0)
    found = made(injection(12.3, 12.35, jnp), {"y": 2.0}, DOSE, hours)
    assert set(found.course.stops) - set(hours) == {12.3, 12.35}
    X = np.array([[40.0, 0.3], [7.0, 1.1]])
    right = np.array([injected(12.3, 12.35, *x, hours) for x in X])
    for values in everywhere(found, X):
        assert values[..., 0] == pytest.approx(right, rel=1e-7, abs=1e-9)
    coarse = np.asarray(traced.series_at(*found.stepped(1), X))[..., 0]
    assert coarse == pytest.approx(right, rel=0.02, abs=0.1)
    assert overlooked.unmoved(found, found.start, np.array([1, 0.01]), np.array([100, 2])) == []


def test_models_of_numpy_and_stated_events_too_and_what_nobody_sees_is_said():
    hours = np.arange(25.0)
    found = made(injection(12.0, 12.05, np), {"y": 2.0}, DOSE, hours)
    assert not found.model.traceable and {12.0, 12.05} < set(found.course.stops)
    assert found.modelled(found.start)[:, 0] == pytest.approx(injected(12.0, 12.05, 40, 0.3, hours), rel=1e-7)
    # A thousandth of a second in a day: between the times at which anything looks.
    short = injection(12.3, 12.3 + 1e-8, jnp)
    blind = made(short, {"y": 2.0}, DOSE, hours)
    low, high = np.array([[1, 0.01], [100, 2]])
    assert overlooked.unmoved(blind, blind.start, low, high) == ["dose"]
    said = overlooked.sentences(["dose"], 0.0, "at the start")
    assert said == [
        "parameter 'dose' moves no value of the series at the start; if an input acts for a short time only, state its "
        "times as `problem.events`, or set `problem.solver.largest_step`"
    ]
    series = Series(hours, np.ones((25, 1)), ("y",), (), {}, Known({}))
    stated = solving.settled(blind, series, {"events": {"times": [12.3, 12.3 + 1e-8]}}, run=False)
    assert overlooked.unmoved(stated, stated.start, low, high) == []
    values = stated.modelled(stated.start)[:, 0]
    assert values == pytest.approx(injected(12.3, 12.3 + 1e-8, 40, 0.3, hours), rel=1e-5)


@pytest.mark.long
def test_a_grid_of_other_steps_shows_what_the_first_stepped_over(monkeypatch):
    """As where the sweep for jumps had missed it."""
    monkeypatch.setattr(jumps, "found", lambda *_: np.empty(0))
    days = np.array([0.0, 24, 48])
    slow = DOSE | {"k": (0.02, 0.01, 2)}
    found = made(injection(31.2, 31.6, np), {"y": 2.0}, slow, days)
    share = overlooked.apart(found, found.start)
    assert share > 0.1 and "on a finer grid the series here differ by" in overlooked.sentences([], share, "here")[0]
    small = made(injection(31.2, 31.6, jnp), {"y": 2.0}, slow, days, solver={"largest_step": 0.5})
    for values in everywhere(small, small.start[None]):
        assert values[0, :, 0] == pytest.approx(injected(31.2, 31.6, 40, 0.02, days), rel=1e-7)
    assert overlooked.apart(small, small.start) == 0


def test_jumps_are_found_where_they_are_and_nothing_else_is_one():
    def sweep(t):
        steps = np.where(t >= 3.7, 1.0, 0.0) + np.where(t > 8.2, 2.0, 0.0)
        return np.stack([np.sin(5 * t), 1e-9 * steps, np.exp(t)], axis=1)

    found = jumps.found(sweep, np.arange(11.0), 0.0, 10.0)
    assert found.tolist() == [3.7, np.nextafter(8.2, 9)]
    assert len(jumps.found(lambda t: np.tanh(1e4 * (t - 3.3))[:, None], np.arange(11.0), 0.0, 10.0)) == 0
    at_a_row = jumps.found(lambda t: np.where(t >= 4, 1.0, 0.0)[:, None], np.arange(11.0), 0.0, 10.0)
    assert len(at_a_row) == 0


def test_a_course_stops_at_rows_and_at_others_that_are_not_beside_one():
    rows = np.array([0.5, 1.0, 1.0, 2.0])
    course = Course(0.5).at(rows, np.array([1.0 + 1e-13, 1.25, 1.25 + 1e-14, 7.0]))
    assert course.stops.tolist() == [0.5, 1.0, 1.25, 2.0, 7.0]
    assert list(course.pieces(2.0)) == [(0.5, 1.0), (1.0, 1.25), (1.25, 2.0)]
    knots, where = course.knots(rows)
    assert knots.tolist() == [0.5, 1.0, 1.25, 2.0] and where.tolist() == [0, 1, 1, 3]
    assert np.diff(Course(largest=0.1).fine(np.array([0, 0.15, 2.0]), 2)).max() <= 0.2


def test_dates_may_be_events_and_a_step_so_small_that_there_are_too_many_is_refused():
    clock = Clock(zero=np.datetime64("2024-03-01T08:00"), seconds=3600.0, unit="h")
    series = Series(np.arange(9.0), np.ones((9, 1)), ("y",), (), {}, Known({}), clock=clock)
    found = made(injection(3.5, 4.5, np), {"y": 2.0}, DOSE, np.arange(9.0))
    stated = solving.settled(found, series, {"events": {"times": ["2024-03-01 11:18"]}}, run=False)
    assert 3.3 in stated.course.stops
    assert "expected at most 8192" in refusal(
        solving.settled, found, series, {"solver": {"largest_step": 1e-4}}, run=False
    )


# -- stiff equations ---------------------------------------------------------------------------------------------------


def robertson(t, y, p):
    a, b, c = y
    r1, r2, r3 = p["k1"] * a, p["k2"] * b * b, p["k3"] * b * c
    return [-r1 + r3, r1 - r2 - r3, r2]


KINETICS = {"k1": (0.04, 0.001, 1), "k2": (3e7, 1e6, 1e8), "k3": (1e4, 1e3, 1e5)}
TIMES = np.concatenate([[0], np.logspace(-3, 2, 11)])
STATES = {"a": 1, "b": 0, "c": 0}


def test_stiff_kinetics_are_seen_to_be_stiff_and_are_solved_as_another_solver_does():
    found = made(robertson, STATES, KINETICS, TIMES)
    assert found.implicit and found.form.solver == "Rodas5P"
    h = 1e-4 * found.start
    X = np.concatenate([found.start[None], found.start + np.diag(h), found.start - np.diag(h)])
    right = solve_ivp(
        lambda t, y: robertson(t, y, {n: v for n, (v, *_) in KINETICS.items()}), (0, 100), [1.0, 0, 0], "Radau",
        t_eval=TIMES, rtol=1e-9, atol=1e-15,
    ).y.T  # fmt: skip
    by_jax = np.asarray(traced.series_at(found.form, found.data, X))
    for values in (by_jax[0], found.modelled(found.start), found.modelled(found.start, **found.reference_options)):
        assert values == pytest.approx(right, rel=1e-6, abs=1e-13)
    _, J = traced.residuals_and_jacobian(found.form, found.data, found.start)
    slopes = ((by_jax[1:4] - by_jax[4:]) * found.weight).reshape(3, -1).T / (2 * h)
    assert np.asarray(J) / np.abs(slopes).max(axis=0) == pytest.approx(slopes / np.abs(slopes).max(axis=0), abs=1e-6)


def test_stiff_models_of_numpy_are_solved_by_lsoda_and_others_are_not_called_stiff():
    def in_numpy(t, y, p):
        return [float(v) for v in robertson(t, [float(v) for v in y], {n: float(v) for n, v in p.items()})]

    found = made(in_numpy, STATES, KINETICS, TIMES)
    assert found.implicit and not found.model.traceable
    assert found.modelled(found.start)[-1].sum() == pytest.approx(1, rel=1e-8)
    assert found.reference(found.start[None])[0] == pytest.approx(found.losses(found.start[None])[0], rel=1e-7)
    slow = made(lambda t, y, p: [-p["k"] * y[0]], {"y": 1.0}, {"k": (1.0, 0.1, 10)}, np.arange(5.0))
    assert not slow.implicit and slow.solver == "Dopri8"
    forced = made(
        lambda t, y, p: [-p["k"] * y[0]],
        {"y": 1.0},
        {"k": (1.0, 0.1, 10)},
        np.arange(5.0),
        solver={"method": "implicit"},
    )
    assert forced.implicit
    assert forced.modelled(forced.start)[:, 0] == pytest.approx(np.exp(-np.arange(5.0)), rel=1e-6)


def test_rodas5p_has_order_5_on_equations_that_know_the_time():
    """y' = -L (y - cos t) - sin t is solved by cos t, whatever L: stiff, and driven by the clock."""

    def solved(rtol, stiffness):
        def rates(t, y):
            return -stiffness * (y - jnp.cos(t)) - jnp.sin(t)

        times = jnp.linspace(0.0, 3.0, 4)
        y = rosenbrock.integrate(rates, jnp.ones(1), 0.0, times, rtol, jnp.full(1, rtol), jnp.inf, 10_000)
        return np.abs(np.asarray(y)[:, 0] - np.cos(np.linspace(0, 3, 4))).max()

    for stiffness in (1.0, 1e5):
        assert solved(1e-10, stiffness) < 2e-9
    step = jax.jit(lambda h: rosenbrock.step(
        lambda t, y: jnp.stack([y[1] * jnp.cos(t), -y[0] * jnp.cos(t)]), jnp.asarray(0.0), jnp.array([0.0, 1.0]), h,
        (0.0, 10.0))[0])  # fmt: skip
    errors = [float(jnp.abs(step(h)[0] - jnp.sin(jnp.sin(h)))) for h in (0.2, 0.1, 0.05)]
    # One step's error falls with the sixth power of its length.
    assert all(a / b > 2**5.7 for a, b in pairwise(errors))


def test_rodas5p_comes_back_with_nothing_where_there_is_no_solution():
    times = jnp.array([0.0, 0.5, 0.9, 1.1])
    y = rosenbrock.integrate(lambda t, y: y**2, jnp.ones(1), 0.0, times, 1e-8, jnp.full(1, 1e-8), jnp.inf, 5000)
    assert np.asarray(y)[:3, 0] == pytest.approx([1, 2, 10], rel=1e-6) and np.isnan(y[3, 0])


@pytest.mark.long
def test_stiff_kinetics_fitted_from_fifty_starts_have_their_true_constants_to_four_digits():
    """Robertson's, over seven decades of time; the data is of another solver."""
    truth = {n: v for n, (v, *_) in KINETICS.items()}
    times = np.logspace(-3, 4, 29)
    seen = solve_ivp(
        lambda t, y: robertson(t, y, truth), (0, 1e4), [1.0, 0, 0], "Radau", t_eval=times, rtol=1e-11, atol=1e-18
    ).y.T
    wide = {n: (v / 10**0.5, v / 1e3, v * 1e2) for n, v in truth.items()}
    found = made(robertson, STATES, wide, times, solver={"method": "implicit"})
    found = replace(found, series=replace(found.series, values=seen), loss="log")
    space = Space(tuple(Input(n, low, high) for n, (_, low, high) in wide.items()))
    logs = Logarithms.of((True,) * 3, space)
    found, space = found.by_logarithms(logs.mask), logs.bounds()
    X, _ = engine.starts(Asked(found, space), 50, np.arange(50), 1, np.random.default_rng(0))
    ends = engine.search(found, space, X, space.free, 1)
    right = np.abs(10.0**ends.X / list(truth.values()) - 1).max(axis=1) < 5e-5
    assert right[np.nanargmin(ends.loss)] and right.mean() >= 0.5


# -- before any job ----------------------------------------------------------------------------------------------------


def test_a_states_size_is_right_where_its_first_interval_is_long():
    """Steps that are too long for the rates make the states larger without end."""
    slow = made(lambda t, y, p: [-p["k"] * y[0]], {"y": 3.0}, {"k": (2.0, 0.1, 10)}, [0.0, 30, 60])
    assert slow.sizes == pytest.approx([3.0])
    kinetics = made(robertson, STATES, KINETICS, [0.0, 50, 100])
    assert kinetics.sizes[0] == 1 and 1e-6 < kinetics.sizes[1] < 1e-2


SPEC = {"simulator": "own:rates", "ode": {"states": {"y": 1.0}}}


def tried(rates, monkeypatch, inputs, solver=None):
    """What a study's check says of a right-hand side whose data is 1, 1, 1, 1."""
    spec = {**SPEC, "inputs": inputs, "solver": solver or {}}
    monkeypatch.setattr("preimage.problems.user_import.load", lambda name: rates)
    series = Series(np.arange(4.0), np.ones((4, 1)), ("y",), (), {}, Known({}))
    monkeypatch.setattr(building.series, "read", lambda *_: series)
    return trial.check(spec, {"o": {"fit": {"data": "t.csv", "loss": "mse", "weights": "equal"}}})


def test_the_start_is_tried_before_any_job(monkeypatch):
    def blow(t, y, p):
        return [float(p["k"]) * float(y[0]) ** 2]

    (said,) = tried(blow, monkeypatch, {"k": {"low": 0.01, "high": 2}})
    assert said.startswith("objective 'o': the equations have no solution at the start (k 1.005): the solver gave up")
    assert said.endswith("3 of 20 other points within the bounds have one") or "of 20 other points" in said
    lost = refusal(tried, blow, monkeypatch, {"k": {"low": 1, "high": 2}})
    assert lost.startswith("objectives.o.fit: the equations have no solution at the start (k 1.5)")
    assert lost.endswith("; nor at any of 20 other points within the bounds")
    assert tried(lambda t, y, p: [-float(p["k"]) * y[0]], monkeypatch, {"k": {"low": 0.1, "high": 1}}) == []
    (said,) = tried(
        lambda t, y, p: [-float(p["k"]) * y[0]], monkeypatch, {"k": {"low": 0.1, "high": 1}, "m": {"low": 0, "high": 1}}
    )
    assert "parameter 'm' moves no value of the series at the start" in said


def test_explicit_steps_on_stiff_equations_are_refused_with_the_remedy(monkeypatch):

    monkeypatch.setattr(trial, "TRIED", 2)
    monkeypatch.setattr(solvers, "MOST_CALLS", 20_000)

    def stiff(t, y, p):
        return [-1e6 * (float(y[0]) - float(p["k"]) * np.cos(t))]

    said = refusal(tried, stiff, monkeypatch, {"k": {"low": 1, "high": 2}}, {"method": "explicit"})
    assert "if they are stiff, set `problem.solver.method: implicit`" in said
    assert tried(stiff, monkeypatch, {"k": {"low": 1, "high": 2}}, {"method": "implicit"}) == []


# -- what is observed --------------------------------------------------------------------------------------------------


def decay_of_both(t, y, p):
    return [-p["k"] * y[0], p["k"] * y[0] - p["e"] * y[1]]


BOTH = {name: {"low": 0.01, "high": 2} for name in ("k", "e", "scale", "start")}
OBSERVED = {"ode": {"states": {"A": "207.6 * start", "B": "207.6 - 207.6*start"}}, "inputs": BOTH}


def observing(observe, **outputs):
    return user_series.model(decay_of_both, "own:rates", {**OBSERVED, "ode": {**OBSERVED["ode"], **observe}, **outputs})


def test_series_are_expressions_of_states_and_parameters_and_states_begin_with_such():
    model = observing({"observe": {"share": "scale * (B + 2*A) / (A + B)", "A": "log(A)"}})
    assert model.traceable and model.observed == ("share", "A")
    p = {"k": 0.4, "e": 0.1, "scale": 100.0, "start": 0.25}
    times = np.linspace(0, 5, 6)
    A = 51.9 * np.exp(-0.4 * times)
    B = 155.7 * np.exp(-0.1 * times) + 51.9 * 0.4 / (0.1 - 0.4) * (np.exp(-0.4 * times) - np.exp(-0.1 * times))
    right = np.stack([100 * (B + 2 * A) / (A + B), np.log(A)], axis=1)
    assert solvers.by_scipy(model, p, Known({}), times, {}) == pytest.approx(right, rel=1e-7)
    x = jnp.array(list(p.values()))

    @jax.jit
    def slopes(x):
        def series(x):
            return solvers.adaptive(model, dict(zip(p, x, strict=True)), Known({}), times, {}, 1e-9, jnp.ones(2) * 1e-7)

        return series(x), jax.jvp(series, (x,), (jnp.array([0.0, 0, 1, 0]),))[1]

    values, by_scale = slopes(x)
    assert np.asarray(values) == pytest.approx(right, rel=1e-7)
    assert np.asarray(by_scale) == pytest.approx(np.stack([right[:, 0] / 100, 0 * times], axis=1), rel=1e-6, abs=1e-12)
    step = solvers.by_scipy(model, {**p, "scale": 100 + 1e-30j}, Known({}), times, {}).imag / 1e-30
    assert step[:, 0] == pytest.approx(right[:, 0] / 100, rel=1e-7)
    assert observing({"observe": {"both": "A + B"}}, outputs={"both": None, "B": None}).observed == ("both", "B")


def test_what_is_observed_may_be_a_function_beside_the_right_hand_side(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside_rates.py").write_text("def seen(y, p):\n    return [y[0] + y[1], p['scale'] * y[1]]\n")
    spec = {**OBSERVED, "ode": {**OBSERVED["ode"], "observe": "seen"}}
    model = user_series.model(decay_of_both, "beside_rates:rates", {**spec, "outputs": {"sum": {}, "part": {}}})
    assert model.observed == ("sum", "part") and model.traceable
    assert model.observe([1.0, 2.0], {"scale": 3.0}) == [3.0, 6.0]
    assert "problem.outputs: name the series" in refusal(user_series.model, decay_of_both, "beside_rates:rates", spec)
    one = user_series.model(decay_of_both, "beside_rates:rates", {**spec, "outputs": dict.fromkeys("abc")})
    said = refusal(user_series.checked, one, {"k": 0.1, "e": 0.1, "scale": 1.0, "start": 0.1}, {})
    assert "the function returned values of shapes" in said and "expected 3 of (3,)" in said


def test_expressions_that_name_what_there_is_not_are_refused():
    assert "problem.ode.observe.x: unknown name 'C'" in refusal(observing, {"observe": {"x": "A + C"}})
    assert "problem.ode.states.A" in refusal(observing, {"states": {"A": "strt", "B": 0}})
    assert "problem.outputs.y: no such state" in refusal(observing, {"observe": {"x": "A"}}, outputs={"y": None})
    clash = refusal(observing, {"states": {"k": 1, "B": 0}, "observe": {"x": "k"}})
    assert "'k' is both a state and an input" in clash
