"""Several experiments in one fit: against closed forms, separate fits and scipy's least squares."""

import sys

import numpy as np
import pytest
from scipy.optimize import least_squares

from preimage.calibration import building, by_condition, engine, traced
from preimage.core.space import Input, Space
from preimage.data import named

from ..conftest import refusal

HOURS = {
    "low": np.array([0.5, 1, 2, 4, 8, 12]),
    "high": np.array([0.5, 1.5, 2, 3, 6, 9, 24]),
    "slow": np.arange(1, 9.0),
}
DOSES = {"low": 50.0, "high": 200.0, "slow": 100.0}
INPUTS = {
    "ka": {"low": 0.05, "high": 5, "start": 1.0},
    "ke": {"low": 0.01, "high": 1, "start": 0.2},
    "ke_slow": {"low": 0.01, "high": 1, "start": 0.2},
    "volume": {"low": 5, "high": 100, "start": 30},
    "dose": {"fixed": 1},
}
TABLE = "condition,dose,ke\nlow,50,\nhigh,200,\nslow,100,ke_slow\n"
SPEC = {
    "simulator": "doses:absorb",
    "ode": {"states": {"gut": "dose", "blood": 0}},
    "inputs": INPUTS,
    "outputs": {"blood": None},
}
CURVE = {
    "simulator": "doses:bateman",
    "curve": {"at": ["time"]},
    "inputs": INPUTS,
    "outputs": {"blood": None},
}
ENTRY = {
    "data": "blood.csv",
    "conditions": "conditions.csv",
    "loss": "mse",
    "weights": "equal",
    "time": {"column": "time", "origin": 0},
}
CODE = """
import jax.numpy as jnp


def absorb(t, y, p):
    gut, blood = y
    return [-p["ka"] * gut, p["ka"] * gut / p["volume"] - p["ke"] * blood]


def bateman(x, p):
    ka, ke, t = p["ka"], p["ke"], x["time"]
    return p["dose"] * ka / p["volume"] / (ka - ke) * (jnp.exp(-ke * t) - jnp.exp(-ka * t))
"""
TRUTH = np.array([1.1, 0.15, 0.05, 30.0])


def blood(condition, x):
    """The concentration after a dose at time 0, in closed form."""
    ka, ke, ke_slow, volume = x
    ke, t = ke_slow if condition == "slow" else ke, HOURS[condition]
    return DOSES[condition] * ka / volume / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))


def data(noise):
    """Rows of all conditions, those of one after those of the other, with noise."""
    rng = np.random.default_rng(3)
    return {c: blood(c, TRUTH) + noise * rng.standard_normal(len(t)) for c, t in HOURS.items()}


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "doses", raising=False)
    (tmp_path / "doses.py").write_text(CODE)
    (tmp_path / "conditions.csv").write_text(TABLE)
    rows = [f"{c},{t},{v!r}" for c, seen in data(0.05).items() for t, v in zip(HOURS[c], seen.tolist(), strict=True)]
    (tmp_path / "blood.csv").write_text("\n".join(["condition,time,blood", *rows]))
    return tmp_path


def space():
    bounds = [(s.get("low", s.get("fixed")), s.get("high", s.get("fixed"))) for s in INPUTS.values()]
    return Space(tuple(Input(n, float(a), float(b)) for n, (a, b) in zip(INPUTS, bounds, strict=True)))


def right_loss(x):
    n = sum(map(len, HOURS.values()))
    return sum(((blood(c, x) - seen) ** 2).sum() for c, seen in data(0.05).items()) / n


def test_the_loss_of_several_conditions_is_that_of_the_closed_form_by_every_solver(study):
    found = building.build(SPEC, ENTRY)
    x = np.array([0.4, 0.3, 0.2, 12, 1.0])
    right = right_loss(x[:4])
    for loss in (found.reference(x[None])[0], found.by_scipy(x)):
        assert loss == pytest.approx(right, rel=1e-6)
    assert float(traced.losses_at(*found.stepped(16), x[None])[0]) == pytest.approx(right, rel=1e-3)


@pytest.mark.long
def test_derivatives_of_several_conditions_are_exact(study):
    x = np.array([0.4, 0.3, 0.2, 12, 1.0])
    loss, slopes = building.build(SPEC, ENTRY).gradient(x[None])
    assert loss[0, 0] == pytest.approx(right_loss(x[:4]), rel=1e-6)
    steps = [(right_loss(x[:4] + h) - right_loss(x[:4] - h)) / 2e-6 for h in 1e-6 * np.eye(4)]
    assert slopes[0, 0] == pytest.approx([*steps, 0], rel=1e-5, abs=1e-9)


def test_shared_and_own_parameters_are_those_of_scipys_least_squares(study):
    found, box = building.build(CURVE, ENTRY), space()
    ends = engine.search(found, box, found.start[None], box.free, 8)
    seen = data(0.05)
    start = found.start[:4]
    right = least_squares(lambda x: np.concatenate([blood(c, x) - seen[c] for c in HOURS]), start, x_scale="jac")
    assert ends.X[0, :4] == pytest.approx(right.x, rel=1e-5) and ends.status == ["ok"]
    curve = found.curves(ends.X)[0]
    for k, c in enumerate(HOURS):
        assert curve[found.series.condition == k, 0] == pytest.approx(blood(c, ends.X[0, :4]), rel=1e-10)


def test_noise_may_differ_between_conditions(study):
    """A condition of its own noise has the root mean square of its own residuals."""
    spread = {"low": 0.01, "high": 100, "start": 1}
    spec = {**CURVE, "inputs": {**INPUTS, "sd": spread, "sd_slow": spread}}
    (study / "conditions.csv").write_text("condition,dose,ke,sd\nlow,50,,\nhigh,200,,\nslow,100,ke_slow,sd_slow\n")
    found = building.build(spec, {**ENTRY, "loss": "normal", "noise": "sd"})
    box = Space((*space().inputs, Input("sd", 0.01, 100.0), Input("sd_slow", 0.01, 100.0)))
    ends = engine.search(found, box, found.start[None], box.free, 8)
    x, seen = ends.X[0], data(0.05)
    apart = {c: blood(c, x[:4]) - seen[c] for c in HOURS}
    others = np.concatenate([apart["low"], apart["high"]])
    assert x[5:] == pytest.approx([np.sqrt((r**2).mean()) for r in (others, apart["slow"])], rel=1e-5)
    nll = sum(0.5 * len(r) * (np.log(2 * np.pi * (r**2).mean()) + 1) for r in (others, apart["slow"]))
    assert found.negative_log_likelihood(ends.loss[0]) == pytest.approx(nll, rel=1e-8)
    assert found.by_scipy(x) == pytest.approx(ends.loss[0], rel=1e-7)
    shown = by_condition.residuals(found, x)
    assert [(r["condition"], r["values"]) for r in shown] == [("low", 6), ("high", 7), ("slow", 8)]
    assert (6 * shown[0]["residual"] ** 2 + 7 * shown[1]["residual"] ** 2) / 13 == pytest.approx(1, rel=1e-5)
    assert shown[2]["residual"] == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name,dose\nlow,50\n", "conditions.csv: no column 'condition' with the names"),
        ("condition,dose\nlow,50\nlow,60\n", "column 'condition': found 'low' twice, expected one row per condition"),
        ("condition,dosis\nlow,50\n", "column 'dosis': no such input; did you mean 'dose'?; declare it under"),
        ("condition,ke\nlow,ke_slwo\n", "row 1 (line 2): found 'ke_slwo', expected a number or the name of an input"),
        ("condition,ka\nlow,1\nhigh,2\nslow,3\n", "problem.inputs.ka: every row of conditions.csv has another value"),
        ("condition,dose\nlow,50\nhigh,60\n", "blood.csv, column 'condition': found 'slow', expected one of the table"),
        (
            "condition,dose\n,50\n",
            "column 'condition', row 1 (line 2): found no value, expected the name of a condition",
        ),
    ],
)
def test_what_is_no_table_of_conditions_is_refused(study, table, said):
    (study / "conditions.csv").write_text(table)
    assert said in refusal(building.build, SPEC, ENTRY)


def test_conditions_without_their_table_are_said_to_be_fitted_as_one(study):
    (note,) = building.build(CURVE, {k: v for k, v in ENTRY.items() if k != "conditions"}).series.notes
    assert note.startswith("3 conditions in the column 'condition' of blood.csv are fitted as one experiment")


def test_held_out_rows_are_refused_and_files_are_named(study):
    assert "hold_out: valid only without `conditions`" in refusal(building.build, SPEC, {**ENTRY, "hold_out": 2})
    assert named.series_files({"o": {"fit": ENTRY}}) == ["blood.csv", "conditions.csv"]


def test_rows_at_one_time_are_replicates_within_a_condition_alone(study):
    assert building.build(CURVE, ENTRY).series.notes == ()
    assert building.build(SPEC, ENTRY).series.notes == ()
    text = (study / "blood.csv").read_text()
    (study / "blood.csv").write_text(text + "\nlow,0.5,0.9")
    (study / "conditions.csv").write_text(TABLE + "spare,1,\n")
    notes = building.build(SPEC, ENTRY).series.notes
    assert notes == (
        "1 row not in the order of time: sorted",
        "2 rows at a time that another row has too: replicates, a residual each",
        "no row is of the condition spare",
    )
