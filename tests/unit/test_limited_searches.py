"""Every method that searches under limits of outputs, against optima known by other means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking, ending
from preimage.inversion.question import Question
from preimage.support.jax_setup import enable_double

from ..conftest import inverter

enable_double()

NAMES = ["gain", "price", "bend"]
GAIN, PRICE = np.array([1.0, 0.8, -0.3]), np.array([2.0, 0.5, 0.1])
SPACE = Space(tuple(Input(n, 0.0, 1.0) for n in "abc"))
# By kind, with the options of a search that is small and still reaches what is asserted of it.
SEARCHES = {
    "multistart": {"starts": 4},
    "differences": {"kind": "multistart", "starts": 3, "gradient": "3-point"},
    "batched": {"kind": "multistart", "starts": 8, "engine": "batched"},
    "neural_adjoint": {"starts": 20},
    "hyperopt": {"evaluations": 60},
    "evolution": {"evaluations": 1500},
    "cmaes": {"evaluations": 1200},
    "random": {"evaluations": 400},
    "lookup": {},
}
# How near to the optimum each comes, as a share of the loss's range over the box.
NEAR = {"multistart": 1e-5, "differences": 1e-5, "batched": 1e-5, "evolution": 0.02, "cmaes": 1e-3}


def outputs(x, xp):
    """Two linear outputs and one that bends, of a point (3,)."""
    return xp.stack([x @ GAIN, x @ PRICE, ((x - 0.4) ** 2).sum() + 0.1 * x[0]])


def at(parameters, x):
    """Return outputs `offset + scale * y` of a point (3,) with its inputs in another order: one program for all."""
    scale, offset, back = parameters
    return offset + scale * outputs(x[back], jnp)


PREDICT = jax.jit(jax.vmap(at, (None, 0)))
SLOPES = jax.jit(jax.vmap(jax.jacfwd(at, 1), (None, 0)))


def question(entry, scale=1.0, offset=0.0, order=(0, 1, 2), space=SPACE):
    """Return the problem in other units, with its inputs in another order."""
    parameters = (scale, offset, np.argsort(order))

    def predict(X):
        return np.asarray(PREDICT(parameters, X))

    X = np.random.default_rng(0).random((100, 3))[:, order]
    Y = predict(X)
    wanted = objective.build("o", entry, NAMES, Y.std(axis=0), np.ptp(Y, axis=0), Y)
    space = Space(tuple(space.inputs[j] for j in order), space.constraints)
    return Question(
        space, wanted, predict, X, Y, np.arange(len(X)), traceable=(at, parameters),
        gradient=lambda X: (predict(X), np.asarray(SLOPES(parameters, X))),
    )  # fmt: skip


def ask(name, q):
    options = {"kind": name, **SEARCHES[name]}
    return asking.ask(inverter(options.pop("kind"), options), [q], np.random.default_rng(0))[0]


def best(q, Y):
    """Return violation and loss of the best candidate, and its place."""
    violation, loss = q.objective.violation(Y), q.objective.loss(Y)
    k = np.lexsort((loss, violation))[0]
    return violation[k], loss[k], k


def least_on_grid(q, n=61):
    """Return the smallest loss of a fine grid's points that keep the limits."""
    axes = np.meshgrid(*[np.linspace(0, 1, n)] * 3, indexing="ij")
    X = np.stack(axes, axis=-1).reshape(-1, 3)
    Y = q.predict(X[q.space.contains(X)])
    return q.objective.loss(Y)[q.objective.violation(Y) == 0].min()


LINEAR = {"maximize": "gain", "subject_to": {"price": {"at_most": 1.2}}}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_linear_problem_is_solved_as_by_a_linear_program(name):
    solved = linprog(-GAIN, A_ub=PRICE[None], b_ub=[1.2], bounds=[(0, 1)] * 3)
    q = question(LINEAR)
    answer, Y = ask(name, q)
    violation, loss, k = best(q, Y)
    assert violation == 0 and loss >= solved.fun - 1e-12
    if name in NEAR:
        assert loss - solved.fun <= NEAR[name] * np.abs(GAIN).sum()
        assert name == "cmaes" or answer.status[k] == "ok"


CURVED = {
    "edge": {"maximize": "gain", "subject_to": {"bend": {"at_most": 0.3}, "price": {"at_least": 1.0, "at_most": 1.5}}},
    "inner": {"minimize": "bend", "subject_to": {"gain": {"at_least": 1.0}}},
    "target": {"target": {"gain": 0.9}, "tolerance": 1e-3, "subject_to": {"bend": {"at_most": 0.2}}},
    "one end": {"within": {"gain": {"at_least": 1.1}}, "subject_to": {"price": {"at_most": 1.6}}},
}


@pytest.mark.parametrize(
    ("name", "case"),
    [*((n, c) for n in ("multistart", "differences", "evolution", "cmaes") for c in CURVED), ("batched", "edge")],
)
def test_a_bent_limit_is_kept_and_nothing_on_a_grid_is_better(name, case):
    q = question(CURVED[case])
    answer, Y = ask(name, q)
    violation, loss, k = best(q, Y)
    assert violation == 0
    # A squared distance from a target, so its rounding is squared too.
    assert loss <= least_on_grid(q) + (1e-24 if name in ("multistart", "differences", "batched") else 0.02)
    if name in ("multistart", "differences", "batched"):
        assert answer.status[k] == "ok"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        *((n, {"scale": 1e6}) for n in ("multistart", "batched", "evolution")),
        ("multistart", {"scale": 1e-6, "offset": 1e-3}),
        *((n, {"order": (2, 0, 1)}) for n in ("multistart", "evolution")),
    ],
)
def test_units_and_order_have_no_part_in_the_answer(name, changed):
    scale, offset = changed.get("scale", 1.0), changed.get("offset", 0.0)
    entry = {"maximize": "gain", "subject_to": {"bend": {"at_most": 0.3 * scale + offset}}}
    first, second = question(CURVED["edge"] | {"subject_to": {"bend": {"at_most": 0.3}}}), question(entry, **changed)
    losses = [best(q, ask(name, q)[1]) for q in (first, second)]
    assert losses[0][0] == losses[1][0] == 0
    share = (losses[1][1] + offset) / scale
    assert share == pytest.approx(losses[0][1], abs=1e-5 if name != "evolution" else 0.03)


@pytest.mark.parametrize("name", SEARCHES)
def test_what_cannot_be_kept_is_missed_by_as_little_as_can_be(name):
    q = question({"minimize": "bend", "subject_to": {"gain": {"at_least": 5.0}}})
    answer, Y = ask(name, q)
    violation, _, _ = best(q, Y)
    least = (5.0 - 1.8) / np.ptp(q.Y[:, 0])
    near = {"random": 0.4, "hyperopt": 0.2, "lookup": 0.5, "evolution": 0.05, "cmaes": 1e-3}
    assert least <= violation + 1e-12 and violation <= least + near.get(name, 1e-4)
    if name in ("multistart", "batched", "neural_adjoint", "cmaes"):
        assert set(answer.status) == {"not_converged"}


def test_limits_and_constraints_of_inputs_hold_together():
    space = Space(SPACE.inputs, (Linear((("a", 1.0), ("b", 1.0), ("c", 1.0)), 1.0, 1.0),))
    q = question(LINEAR, space=space)
    solved = linprog(
        -GAIN, A_ub=PRICE[None], b_ub=[1.2], A_eq=np.ones((1, 3)), b_eq=[1.0], bounds=[(0, 1)] * 3
    )  # fmt: skip
    for name in ("multistart", "evolution", "hyperopt"):
        violation, loss, _ = best(q, ask(name, q)[1])
        assert violation == 0 and loss >= solved.fun - 1e-9
        if name == "multistart":
            assert loss <= solved.fun + 1e-5


def test_whole_numbers_search_for_the_best_that_keeps_the_limits():
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0, integer=True), Input("c", 0.0, 1.0)))
    q = question({"maximize": "gain", "subject_to": {"price": {"at_most": 0.45}}}, space=space)
    options = {"starts": 3, "discrete": "enumerate"}
    answer, Y = asking.ask(inverter("multistart", options), [q], np.random.default_rng(0))[0]
    violation, loss, k = best(q, Y)
    # b is 1 at price 0.5, too dear: a takes all of the price.
    assert violation == 0 and answer.X[k, 1] == 0 and loss == pytest.approx(-0.45 / 2, abs=1e-5)


def test_rows_that_keep_the_limits_come_first():
    q = question(LINEAR)
    rows = q.best_rows(100)
    kept = q.objective.violation(q.Y[rows]) == 0
    assert kept.any() and not kept.all() and (np.diff(kept.astype(int)) <= 0).all()
    assert (np.diff(q.objective.loss(q.Y[rows[kept]])) >= 0).all()


@pytest.mark.parametrize(("share", "ends"), [(0.0, True), (0.3, False)])
def test_the_rule_of_ending_tells_an_optimum_on_a_limit_from_a_point_on_it(share, ends):
    q = question(LINEAR)
    narrow = q.wanting(ending.narrowed(q))
    limit = narrow.objective.limits[0].high
    # The optimum has b = 1 and c = 0; the other point keeps the limit as exactly with less of b.
    b = 1.0 - share
    x = np.array([[(limit - 0.5 * b) / 2, b, 0.0]])
    loss, violation = ending.measured([narrow], np.zeros(1, int), x)
    assert violation[0] == 0
    verdict = ending.Judge([narrow], np.ones(3, bool), "exact")(
        np.zeros(1, int), x, loss, np.full((1, 3), np.nan), violation
    )
    assert (verdict.reason == [""]) == ends
