"""Equations that begin at rest, and doses that make states jump: against closed forms, slopes included."""

import sys

import jax
import numpy as np
import pandas as pd
import pytest

from preimage.calibration import building, engine, pooled
from preimage.core.space import Input, Space

from ..conftest import refusal

MODELS = """
import jax.numpy as jnp


def switched(t, y, p):
    a, b, c = y
    there, back = p["ka"] * (1 + p["light"]), p["kb"]
    return [back * b - there * a, there * a - back * b, p["supply"] - p["loss"] * c]


def absorbed(t, y, p):
    gut, blood = y
    return [-p["ka"] * gut, p["ka"] * gut - p["ke"] * blood]
"""
TIMES = np.array([0, 0.5, 1, 2, 4.0])
SWITCHED = {
    "simulator": "jumping:switched",
    "ode": {"states": {"a": "total", "b": 0, "c": 0}, "preequilibration": {"light": "dusk"}},
    "inputs": {n: {"low": 0.01, "high": 10, "start": 1} for n in ("ka", "kb", "total", "supply", "loss", "dusk")}
    | {"light": {"fixed": 3}},
    "outputs": {"b": None, "c": None},
}
DOSES = [{"state": "gut", "times": [0, 6], "amount": "0.5 * dose"}, {"state": "blood", "times": [3], "amount": "dose",
          "rows": "after"}]  # fmt: skip
ABSORBED = {
    "simulator": "jumping:absorbed",
    "ode": {"states": {"gut": 0, "blood": 0}},
    "events": {"doses": DOSES},
    "inputs": {"ka": {"low": 0.1, "high": 5}, "ke": {"low": 0.01, "high": 2}, "dose": {"low": 1, "high": 20}},
    "outputs": {"gut": None, "blood": None},
}
HOURS = np.array([0, 1, 3, 4, 6, 6.5, 9.0])
ENTRY = {"data": "rows.csv", "loss": "mse", "weights": "equal", "time": {"column": "t", "origin": 0}}


def at_rest(p):
    """The series of `switched`, in closed form."""
    ka, kb, total, supply, loss, dusk, light = p
    rest = total * ka * (1 + dusk) / (ka * (1 + dusk) + kb)
    speed = ka * (1 + light) + kb
    later = total * ka * (1 + light) / speed
    return np.stack([later + (rest - later) * np.exp(-speed * TIMES), supply / loss + 0 * TIMES], axis=1)


def dosed(p):
    """The series of `absorbed`, in closed form: a sum over the doses."""
    ka, ke, dose = p
    gut, blood = np.zeros(len(HOURS)), np.zeros(len(HOURS))
    for when in (0, 6):
        t = np.where(when < HOURS, HOURS - when, np.inf)
        gut += 0.5 * dose * np.exp(-ka * t)
        blood += 0.5 * dose * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))
    blood += np.where(HOURS >= 3, dose * np.exp(-ke * np.where(HOURS >= 3, HOURS - 3, 0)), 0)
    return np.stack([gut, blood], axis=1)


def wrote(folder, monkeypatch, times, values, names):
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "jumping", raising=False)
    (folder / "jumping.py").write_text(MODELS)
    rows = [",".join(map(repr, row)) for row in np.column_stack([times, values]).tolist()]
    (folder / "rows.csv").write_text("\n".join([f"t,{','.join(names)}", *rows]))


def loss_and_slopes(series, x, seen):
    """The loss at x, and its derivatives by central differences of the closed form."""

    def loss(p):
        return ((series(p) - seen) ** 2).mean()

    steps = 1e-6 * np.eye(len(x))
    return loss(x), np.array([(loss(x + h) - loss(x - h)) / 2e-6 for h in steps])


def test_states_at_rest_before_the_start_are_those_of_the_closed_form(tmp_path, monkeypatch):
    seen = np.arange(2.0 * len(TIMES)).reshape(-1, 2)
    wrote(tmp_path, monkeypatch, TIMES, seen, ["b", "c"])
    found = building.build(SWITCHED, ENTRY)
    x = np.array([0.7, 0.4, 5, 2, 0.3, 0.2, 3])
    right, slopes = loss_and_slopes(at_rest, x, seen)
    loss, gradient = found.gradient(x[None])
    assert [loss[0, 0], found.by_scipy(x), found.reference(x[None])[0]] == pytest.approx([right] * 3, rel=1e-6)
    assert gradient[0, 0] == pytest.approx(slopes, rel=1e-5)
    by_step = found.by_scipy(x + 1e-30j * np.eye(7)[2]).imag / 1e-30
    assert by_step == pytest.approx(slopes[2], rel=1e-5)


def test_doses_add_up_as_in_the_closed_form_and_a_row_is_before_or_after_its_dose(tmp_path, monkeypatch):
    seen = np.arange(2.0 * len(HOURS)).reshape(-1, 2)
    wrote(tmp_path, monkeypatch, HOURS, seen, ["gut", "blood"])
    found = building.build(ABSORBED, ENTRY)
    x = np.array([1.3, 0.2, 8.0])
    right, slopes = loss_and_slopes(dosed, x, seen)
    loss, gradient = found.gradient(x[None])
    assert [loss[0, 0], found.by_scipy(x), found.reference(x[None])[0]] == pytest.approx([right] * 3, rel=1e-6)
    assert gradient[0, 0] == pytest.approx(slopes, rel=1e-5)


def pooled_losses_and_slopes(found, X, going):
    """Losses (n,) and slopes (n, d) of many searches whose solutions share a few lanes."""
    moving = tuple(range(X.shape[1]))
    form, data = pooled.shared(found.form, found.data)
    call = jax.jit(lambda X: pooled.residuals_and_jacobian(form, data, X, moving, going))
    r, J = map(np.asarray, call(X))
    return (r**2).sum(axis=1), 2 * np.einsum("nrd,nr->nd", J, r)


@pytest.mark.parametrize("together", [False, True])
def test_searches_that_share_lanes_are_those_of_the_closed_form(tmp_path, monkeypatch, together):
    """More solutions than lanes, to rest under two conditions, together or not, and a search that has ended."""
    seen = np.arange(4.0 * len(TIMES)).reshape(-1, 2)
    wrote(tmp_path, monkeypatch, np.tile(TIMES, 2), seen, ["b", "c"])
    rows = pd.read_csv("rows.csv").assign(condition=np.repeat(["dim", "bright"], len(TIMES)))
    rows.drop(index=[4]).to_csv("rows.csv", index=False)  # one ends before the other
    table = "condition,light\ndim,1\nbright,3\n" if together else "condition,light,supply\ndim,1,\nbright,3,total\n"
    (tmp_path / "conditions.csv").write_text(table)
    found = building.build(SWITCHED, {**ENTRY, "conditions": "conditions.csv"})
    X = np.random.default_rng(0).uniform(0.1, 5, (9, 7))
    X[:, 6] = 3
    there = np.delete(np.arange(10), 4)

    def both(x):
        dim, bright = np.array([*x[:6], 1]), np.array([*x[:3], x[3 if together else 2], *x[4:6], 3])
        return np.concatenate([at_rest(dim), at_rest(bright)])[there]

    assert [found.names[k] for k in found.form.taken] == list(SWITCHED["inputs"])
    assert found.form.together == together
    loss, slopes = pooled_losses_and_slopes(found, X, np.arange(9) != 3)
    assert np.isnan(loss[3])
    for k in np.delete(np.arange(9), 3):
        right = loss_and_slopes(both, X[k], seen[there])
        assert loss[k] == pytest.approx(right[0], rel=1e-6)
        assert slopes[k, :6] == pytest.approx(right[1][:6], rel=1e-5, abs=1e-6)


def test_searches_with_doses_that_share_lanes_are_those_of_the_closed_form(tmp_path, monkeypatch):
    seen = np.arange(2.0 * len(HOURS)).reshape(-1, 2)
    wrote(tmp_path, monkeypatch, HOURS, seen, ["gut", "blood"])
    found = building.build(ABSORBED, ENTRY)
    X = np.random.default_rng(0).uniform([0.5, 0.01, 1], [5, 0.4, 20], (9, 3))
    loss, slopes = pooled_losses_and_slopes(found, X, np.ones(9, bool))
    right = [loss_and_slopes(dosed, x, seen) for x in X]
    assert loss == pytest.approx(np.array([a for a, _ in right]), rel=1e-6)
    assert slopes.ravel() == pytest.approx(np.concatenate([b for _, b in right]), rel=1e-5, abs=1e-5)


@pytest.mark.long
def test_a_fit_with_doses_finds_the_parameters_of_its_data(tmp_path, monkeypatch):
    wrote(tmp_path, monkeypatch, HOURS, dosed([1.3, 0.2, 8.0]), ["gut", "blood"])
    found = building.build(ABSORBED, ENTRY)
    space = Space(tuple(Input(n, float(s["low"]), float(s["high"])) for n, s in ABSORBED["inputs"].items()))
    ends = engine.search(found, space, np.array([[0.5, 1.0, 3.0]]), space.free, 1)
    assert ends.X[0] == pytest.approx([1.3, 0.2, 8.0], rel=1e-6)


def test_doses_that_can_not_be_given_are_refused(tmp_path, monkeypatch):
    wrote(tmp_path, monkeypatch, HOURS, dosed([1.3, 0.2, 8.0]), ["gut", "blood"])

    def with_dose(**changed):
        return {**ABSORBED, "events": {"doses": [{**DOSES[0], **changed}]}}

    assert "events.doses.0.state: found 'gutt'; did you mean 'gut'?" in refusal(
        building.build, with_dose(state="gutt"), ENTRY
    )
    assert "events.doses.0.times.1: found -1, before the time" in refusal(
        building.build, with_dose(times=[2, -1]), ENTRY
    )
    assert "events.doses.0.amount" in refusal(building.build, with_dose(amount="2 * mass"), ENTRY)
    explicit = {**ABSORBED, "solver": {"method": "explicit"}}
    assert "found explicit, expected auto or implicit" in refusal(building.build, explicit, ENTRY)
    without = {**SWITCHED, "ode": {**SWITCHED["ode"], "preequilibration": {"lite": 0}}}
    assert "preequilibration.lite: no such input; did you mean 'light'?" in refusal(building.build, without, ENTRY)
