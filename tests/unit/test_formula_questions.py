"""Objectives on formulas, asked of every method that searches a model: against a grid, and in any order of inputs."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.core import formulas, objective
from preimage.core.space import Input, Space
from preimage.inversion import asking, committee, ordered
from preimage.inversion.extended import with_formulas
from preimage.inversion.gradients import Line
from preimage.inversion.question import Question
from preimage.support.jax_setup import enable_double
from preimage.trees import standardised

from ..conftest import inverter

enable_double()

SPACE = Space((Input("a", 0.5, 3.0), Input("b", 0.0, 2.0)))
ENTRIES = {"cost": {"expression": "2*a + 3*b", "unit": "EUR"}, "value": {"expression": "cost / (y + 5) + abs(b - 1)"}}
FORMULAS = formulas.build(ENTRIES, SPACE, ["y", "z"])
OUTPUTS = ["y", "z", *FORMULAS.names]


def truth(X):
    return np.column_stack([X[:, 0] * (4 - X[:, 0]) + X[:, 1], X[:, 0] - X[:, 1]])


def slopes(X):
    J = np.zeros((len(X), 2, 2))
    J[:, 0, 0], J[:, 0, 1], J[:, 1, 0], J[:, 1, 1] = 4 - 2 * X[:, 0], 1, 1, -1
    return truth(X), J


def traced(parameters, x):
    return jnp.stack([x[0] * (4 - x[0]) + x[1], x[0] - x[1]])


def question(entry, rows=60):
    X = np.random.default_rng(0).uniform(SPACE.low, SPACE.high, (rows, 2))
    Y = FORMULAS.extended(X, truth(X))
    wanted = objective.build("o", entry, OUTPUTS, Y.std(axis=0), np.ptp(Y, axis=0), Y)
    plain = Question(SPACE, wanted, truth, X, Y, np.arange(rows), gradient=slopes, traceable=(traced, ()))
    return with_formulas(plain, FORMULAS)


def best(entry):
    X = np.stack(np.meshgrid(np.linspace(0.5, 3, 1001), np.linspace(0, 2, 1001)), axis=-1).reshape(-1, 2)
    return float(question(entry).loss(X).min())


METHODS = [
    ("multistart", {"starts": 4, "gradient": "exact"}),
    ("multistart", {"starts": 4, "gradient": "exact", "engine": "batched"}),
    ("multistart", {"starts": 4, "gradient": "3-point"}),
    ("evolution", {"evaluations": 1500}),
    ("cmaes", {"evaluations": 600}),
    ("hyperopt", {"evaluations": 200}),
    ("random", {"evaluations": 2000}),
    ("neural_adjoint", {"starts": 8}),
]


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("kind", "options"), METHODS, ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v.values()))
)
@pytest.mark.parametrize(
    "entry", [{"minimize": "value"}, {"within": {"cost": [4.0, 4.5], "y": [4.2, 6.0]}}], ids=["value", "within"]
)
def test_every_method_finds_what_a_grid_finds(kind, options, entry):
    q = question(entry)
    ((answer, Y),) = asking.ask(inverter(kind, options), [q], np.random.default_rng(1))
    np.testing.assert_allclose(Y, FORMULAS.extended(answer.X, truth(answer.X)))
    found, least = np.nanmin(q.loss(answer.X)), best(entry)
    exact = kind in ("multistart", "evolution", "cmaes")
    assert found <= least + (1e-4 if exact else 0.1) * (1.0 if entry.get("minimize") else q.objective.unit)


def test_gradients_go_through_formulas_by_the_chain_rule():
    line = Line(question({"target": {"value": 0.3, "y": 4.0}}), np.array([1.3, 1.4]))
    u, h = line.start, 1e-6
    central = np.array([(line.loss(u + h * e) - line.loss(u - h * e)) / (2 * h) for e in np.eye(2)])
    for value, slope in (line.exact(u), line.complex_step(u)):
        assert value == pytest.approx(line.loss(u), rel=1e-12)
        assert slope == pytest.approx(central, rel=1e-6)


def test_another_order_of_inputs_asks_the_same():
    q = question({"minimize": "value"})
    order = np.array([1, 0])
    put = ordered.put(q, order)
    X = q.X[:5]
    np.testing.assert_array_equal(put.outputs(X[:, order]), q.outputs(X))
    np.testing.assert_array_equal(put.gradient(X[:, order])[1][:, :, order], q.gradient(X)[1])
    np.testing.assert_array_equal(put.formulas.extended(X[:, order], truth(X)), q.outputs(X))
    (function, parameters), (same, _) = put.traceable, q.traceable
    np.testing.assert_allclose(function(parameters, X[0, order]), same(parameters, X[0]), rtol=1e-15)


def test_the_nearest_row_is_that_of_the_formula():
    q = question({"minimize": "cost"})
    ((answer, Y),) = asking.ask(inverter("lookup", {}), [q], np.random.default_rng(0))
    cost = q.X @ [2, 3]
    assert answer.X.tolist() == [q.X[cost.argmin()].tolist()]
    assert Y[0, 2] == pytest.approx(cost.min())


def test_rows_outside_the_bounds_at_which_a_formula_is_undefined_are_left_out():
    found = formulas.build({"f": {"expression": "log(a)"}}, SPACE, ["y", "z"])
    X = np.array([[1.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    Y = found.extended(X, truth(X))
    wanted = objective.build("o", {"minimize": "f"}, ["y", "z", "f"])
    q = with_formulas(Question(SPACE, wanted, truth, X, Y, np.arange(3)), found)
    assert q.rows.tolist() == [0, 2]
    assert np.isfinite(q.Y).all()


def test_a_committee_judges_formulas_by_its_members_outputs():
    class Model:
        def predict(self, X):
            return truth(X) + 0.2

    q = question({"minimize": "value"})
    made = committee.assemble(
        Model(), np.array([0.2, 0.2]), q, np.zeros(2, int), {"trees": 10}, np.random.default_rng(0)
    )
    own = made.judges[0]
    X = q.X[:4]
    np.testing.assert_allclose(own.predict(X)[0], FORMULAS.extended(X, truth(X) + 0.2))
    # The error of a formula to first order: d value / d y = -cost / (y + 5)^2; of inputs alone it is none.
    cost, y = q.Y[:, 2], q.Y[:, 0]
    assert own.error[3] == pytest.approx(0.2 * (cost / (y + 5) ** 2).mean())
    assert own.error[2] == pytest.approx(1e-9 * cost.std())
    assert np.isfinite(made.loss(q.objective, X)).all()


@pytest.mark.parametrize("kind", ["certified", "coordinate"])
def test_exact_searches_answer_objectives_on_outputs_beside_formulas(kind):
    X = np.random.default_rng(0).uniform(SPACE.low, SPACE.high, (60, 2))
    forest = standardised.fit(RandomForestRegressor(3, random_state=0), X, truth(X), np.zeros(2, int)).forest
    wanted = objective.build("o", {"maximize": "y"}, OUTPUTS)
    plain = Question(SPACE, wanted, forest.predict, X, FORMULAS.extended(X, truth(X)), np.arange(60), trees=forest)
    q = ordered.put(with_formulas(plain, FORMULAS), np.array([1, 0]))
    Y = asking.ask(inverter(kind, {"starts": 4}), [q], np.random.default_rng(0))[0][1]
    assert Y.shape[1] == 4
    drawn = np.random.default_rng(1).uniform(SPACE.low, SPACE.high, (5000, 2))
    assert Y[:, 0].max() >= forest.predict(drawn)[:, 0].max()
