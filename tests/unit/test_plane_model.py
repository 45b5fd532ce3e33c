"""Linear models on boxes: proven optima are those of linear programs, and of every category."""

import numpy as np
import pytest
from scipy.optimize import linprog

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.data.rows import Rows
from preimage.exact import preimage
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.surrogates import linear

from ..conftest import inverter

LABELS = ("a", "b", "c")
D = 4


def question(seed, kind):
    """Return a question on a random plane of four numbers and a category, under two rows, and its rows (A, low)."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.uniform(-1, 1, (60, D)) * [1, 10, 1e-3, 5], rng.integers(0, 3, 60)])
    Y = X[:, :D] @ rng.normal(size=(D, 2)) + rng.normal(size=(3, 2))[X[:, D].astype(int)]
    names = [f"x{j}" for j in range(D + 1)]
    known = Rows(X, Y, np.arange(60), names, ["y", "z"], np.r_[np.zeros(D, int), 3], ((),) * D + (LABELS,))
    model = linear.fit(known, 0.0)
    A, low = rng.normal(size=(2, D)) / [1, 10, 1e-3, 5], -rng.uniform(0, 0.5, 2)
    rows = [
        Linear(tuple(zip(names[:D], a.tolist(), strict=True)), b, np.inf) for a, b in zip(A, low.tolist(), strict=True)
    ]
    numbers = (Input(f"x{j}", -w, w) for j, w in enumerate((1.0, 10.0, 1e-3, 5.0)))
    space = Space((*numbers, Input("x4", 0, 2, categories=LABELS)), tuple(rows))
    wanted = objective.build("o", {kind: "y"}, ["y", "z"], Y.std(axis=0), np.ptp(Y, axis=0))
    asked = Question(
        space, wanted, model.predict, X, Y, np.arange(60), gradient=model.gradient, form=model.exact_form()
    )
    return asked, A, low


@pytest.mark.parametrize("kind", ["minimize", "maximize"])
@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_that_of_linear_programs(seed, kind):
    asked, A, low = question(seed, kind)
    ((answer, _),) = asking.ask(inverter("certified", {"starts": 2}), [asked], np.random.default_rng(0))
    sign, best = (1.0 if kind == "minimize" else -1.0), np.inf
    for code in range(3):
        at = np.r_[np.zeros(D), float(code)]
        Y, J = asked.gradient(at[None])
        bounds = list(zip(asked.space.low[:D], asked.space.high[:D], strict=True))
        found = linprog(sign * J[0, 0, :D], A_ub=-A, b_ub=-low, bounds=bounds)
        best = min(best, sign * float(Y[0, 0]) + found.fun)
    proof, unit = answer.certificate, asked.objective.loss_unit
    assert proof["closed"] and proof["bound"] <= best + 1e-9 * unit
    assert proof["loss"] == pytest.approx(best, abs=3e-6 * unit) and proof["loss"] - proof["bound"] <= 3e-6 * unit


def test_a_whole_preimage_holds_nothing_that_misses_its_band():
    asked, *_ = question(0, "minimize")
    Y = asked.predict(asked.X)[:, 0]
    band = np.quantile(Y, [0.4, 0.6]).tolist()
    wanted = objective.build("o", {"within": {"y": band}}, ["y", "z"], Y.std() * np.ones(2), np.ptp(Y) * np.ones(2))
    found = preimage.of_form(asked.form, asked.predict, asked.space, wanted, 1000)
    inside = np.flatnonzero(found.certain)
    assert len(inside) > 10
    corners = np.random.default_rng(0).integers(0, 2, (40, len(inside), D + 1))
    X = np.where(corners, found.high[inside], found.low[inside]).reshape(-1, D + 1)
    assert wanted.met(asked.predict(X)).all() and asked.space.contains(X).all()
