"""The same answers in any unit, from any zero, and in any order: of every kind of model, method and objective."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from ..metamorphic import PLAIN, Change, differences, solve

SURROGATES = {
    "forest": {"kind": "random_forest", "trees": 10, "folds": 2},
    "gp": {"kind": "gaussian_process", "restarts": 1, "folds": 2},
    "line": {"kind": "linear", "folds": 2},
    "network": {"kind": "neural_network", "layers": [8], "members": 2, "epochs": 60, "folds": 2},
    "latent": {"kind": "latent", "decoder": "linear", "folds": 2, "outer": {"iterations": 20}},
}
SEARCHES = {
    "tpe": {"kind": "hyperopt", "evaluations": 30},
    "random": {"kind": "random", "evaluations": 50},
    "evolution": {"kind": "evolution", "evaluations": 300},
    "cmaes": {"kind": "cmaes", "evaluations": 300},
}
SMOOTH = {
    "starts": {"kind": "multistart", "starts": 4},
    "slopes": {"kind": "multistart", "starts": 3, "gradient": "2-point"},
    "batched": {"kind": "multistart", "starts": 4, "engine": "batched"},
    "adjoint": {"kind": "neural_adjoint", "starts": 4},
}
EXACT = {
    "certified": {"kind": "certified"},
    "near": {"kind": "certified", "distance": 0.1},
    "common": {"kind": "certified", "isolation": 0.55},
    "coordinate": {"kind": "coordinate", "starts": 6},
}
OBJECTIVES = {
    "up": {"maximize": "y"},
    "down": {"minimize": "y"},
    "sum": {"minimize": {"y": 1.0, "z": 2.0}},
    "two": {"target": {"y": 2.0}},
    "both": {"target": {"y": 1.0, "z": 0.2}},
    "band": {"within": {"y": [2.5, 2.9]}},
    "never": {"target": {"y": 30.0}},
}
NUMBERS, OUTPUTS = ["a", "b", "w"], ["y", "z"]
COLUMNS = [*NUMBERS, *OUTPUTS]


def numbers(n=70):
    """Rows of three inputs and two outputs, the first one smooth and not monotone."""
    rng = np.random.default_rng(11)
    a, b, w = rng.uniform(0, 1, n), rng.uniform(-2, 3, n), rng.uniform(5, 6, n)
    return pd.DataFrame({"a": a, "b": b, "w": w, "y": 3 * a - b + np.sin(4 * w), "z": a * (w - 5)})


def each(value):
    return dict.fromkeys(COLUMNS, value)


def scaled(inputs, outputs):
    return {**dict.fromkeys(NUMBERS, inputs), **dict.fromkeys(OUTPUTS, outputs)}


def moved(by):
    """Shifts of so many ranges of each column."""
    base = numbers()
    return {name: float(by * np.ptp(base[name])) for name in COLUMNS}


CHANGES = {
    "powers of two, small": Change(scale=scaled(2.0**-30, 2.0**-40), exact=True),
    "powers of two, large": Change(scale=scaled(2.0**30, 2.0**40), exact=True),
    "small": Change(scale=scaled(1e-9, 1e-12)),
    "large": Change(scale=scaled(1e9, 1e12)),
    "moved": Change(shift=moved(1e3)),
    "far": Change(shift=moved(1e6)),
    "each its own": Change(
        scale={"a": 1e-9, "b": 3e5, "w": 1e-3, "y": 1e7, "z": 1e-8},
        shift={"a": -7.0, "b": 1e3, "w": -5.5, "y": 400.0, "z": -1.0},
    ),
    "rows": Change(rows=5),
    "columns": Change(columns=2),
}
# What is asked of each kind of model.
ASKED = {
    "forest": {**EXACT, **SEARCHES},
    "gp": {**SMOOTH, **SEARCHES},
    "line": {**SMOOTH, **SEARCHES},
    "network": {**SMOOTH, **SEARCHES},
    "latent": {**SMOOTH, **SEARCHES},
}


def spec(kind, inverters, objectives=OBJECTIVES):
    asked = {name: {**entry, "on": [kind]} for name, entry in inverters.items()}
    return {
        "outputs": OUTPUTS, "surrogates": {kind: SURROGATES[kind]}, "objectives": objectives, "inverters": asked
    }  # fmt: skip


# Rounding decides between equal outputs of trees, and so where a population goes on; and when one is small enough.
TIES = {"forest": {"evolution", "cmaes"}, "gp": {"cmaes"}, "latent": {"cmaes"}, "network": {"cmaes"}}
# A Gaussian process without noise is fitted to a likelihood that is flat to this share, and adds up large weights: its
# answers are known to fewer digits, and whether a search has ended is a matter of rounding far from 0. So is where the
# training of a network ends, in single precision, and that of a decoder.
WITHIN = {"gp": 1e-4, "network": 1e-4, "latent": 1e-5}
FLAT = {"gp": 1e-3, "network": 1e-3, "latent": 1e-5}
UNSETTLED = {("gp", "far"), ("gp", "each its own"), ("network", "far")}


def check(folder, kind, what, base, change, plain=None, status=True):
    plain, again = plain or solve(folder / "plain", what, base), solve(folder / "moved", what, base, change)
    loose = {"within": 0}
    if not change.exact:
        within = WITHIN.get(kind, 1e-6) if change.scale or change.shift else 1e-6
        loose = {"within": within, "ties": TIES.get(kind, set()), "steps": {"adjoint"}, "flat": FLAT.get(kind, 0.0)}
    found = [
        line
        for a, b in zip(plain[:2], again[:2], strict=True)
        for line in differences(a, b, base, what["objectives"], status=status, **loose)
    ]
    assert not found, "\n".join(found[:40]) + f"\n({len(found)} in all)"


@pytest.mark.long
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ASKED)
def test_every_method_and_objective(tmp_path, kind, change):
    check(tmp_path, kind, spec(kind, ASKED[kind]), numbers(), CHANGES[change], status=(kind, change) not in UNSETTLED)


QUICK = {
    "forest": {name: EXACT[name] for name in ("certified", "common", "coordinate")} | {"tpe": SEARCHES["tpe"]},
    "gp": {name: SMOOTH[name] for name in ("starts", "slopes")},
    "line": {"starts": SMOOTH["starts"], "cmaes": SEARCHES["cmaes"]},
}
FEW = {name: OBJECTIVES[name] for name in ("up", "two", "both", "never")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return each kind's solutions of the table as it is, once."""
    return cache(lambda kind: solve(tmp_path_factory.mktemp(kind), spec(kind, QUICK[kind], FEW), numbers()))


@pytest.mark.some(3)
@pytest.mark.parametrize("change", ["powers of two, small", "far", "each its own", "rows", "columns"])
@pytest.mark.parametrize("kind", QUICK)
def test_some_methods_and_objectives(tmp_path, plain, kind, change):
    what, settled = spec(kind, QUICK[kind], FEW), (kind, change) not in UNSETTLED
    check(tmp_path, kind, what, numbers(), CHANGES[change], plain(kind), settled)


TRADE = {
    "trade": {"pareto": {"maximize": ["y"], "minimize": ["z"]}},
    "limited": {"pareto": {"maximize": ["z", "y"]}, "fixed": {"w": 5.25}},
}


@pytest.mark.parametrize("change", ["powers of two, small", "far", "rows", "columns"])
def test_fronts(tmp_path, change):
    """`w` is fixed at what is its value in any unit only where that is the same number."""
    objectives = TRADE if change in ("rows", "columns") else {"trade": TRADE["trade"]}
    base, random, nsga2 = numbers(), {"random": SEARCHES["random"]}, {"nsga2": NSGA2}
    check(tmp_path / "random", "line", spec("line", random, objectives), base, CHANGES[change])
    evolved = spec("line", nsga2, objectives)
    if CHANGES[change].exact:
        check(tmp_path / "nsga2", "line", evolved, base, CHANGES[change])
        return
    plain, again = (solve(tmp_path / str(k), evolved, base, by) for k, by in enumerate((PLAIN, CHANGES[change])))
    check_fronts(*(table[table["inverter"] == "nsga2"] for _, table, _ in (plain, again)), base)


NSGA2 = {"kind": "nsga2", "evaluations": 300, "members": 20}
# Rounding orders the points of a front that have equal room, and so may turn a few draws.
FEW_TURNED, TURNED = 0.1, 0.05


def check_fronts(first, second, base):
    """As sets, points of two tables of fronts are the same, but for a few that lie near one of the other's."""
    names = [name for name in first if name.partition(".")[0] in ("x", "predicted")]
    width = np.array([np.ptp(base[name.partition(".")[2]]) for name in names])
    for objective, rows in first.groupby("objective"):
        others = second[second["objective"] == objective]
        a, b = (table[names].to_numpy() / width for table in (rows, others))
        away = np.abs(a[:, None] - b).max(axis=2)
        for nearest in (away.min(axis=0), away.min(axis=1)):
            assert (nearest > 1e-6).mean() <= FEW_TURNED and nearest.max() <= TURNED, objective


def graded(n=60):
    """Rows with a category and a whole number."""
    rng = np.random.default_rng(4)
    a, count, grade = rng.uniform(0, 1, n), rng.integers(1, 6, n).astype(float), rng.choice(["p", "q", "r"], n)
    y = a + 0.3 * count + np.select([grade == "p", grade == "q"], [2.0, -1.0])
    return pd.DataFrame({"a": a, "count": count, "grade": grade, "y": y})


@pytest.mark.some(3)
@pytest.mark.parametrize(
    "change", [Change(categories=1), Change(rows=3), Change(columns=2)], ids=["lists", "rows", "columns"]
)
@pytest.mark.parametrize("kind", ["forest", "line"])
def test_categories_in_any_order(tmp_path, kind, change):
    what = {
        "outputs": ["y"],
        "inputs": {"grade": {"categories": ["p", "q", "r"]}, "count": {"integer": True, "low": 1, "high": 5}},
        "surrogates": {kind: SURROGATES[kind]},
        "objectives": {"up": {"maximize": "y"}, "two": {"target": {"y": 2.0}}},
        "inverters": {"random": {**SEARCHES["random"], "on": [kind]}, "tpe": {**SEARCHES["tpe"], "on": [kind]}}
        | ({"certified": EXACT["certified"]} if kind == "forest" else {}),
    }
    check(tmp_path, kind, what, graded(), change)
