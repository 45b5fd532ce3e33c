"""Every inverter in spaces of steps, gaps, counts, exclusions and curves: what it proposes is valid, whatever it is."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective, polytope
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Question
from preimage.support.errors import StudyError
from preimage.trees.forest import from_sklearn

from ..conftest import inverter
from ..spaces import random_space, valid

KINDS = {
    "hyperopt": {"evaluations": 25},
    "evolution": {"evaluations": 60},
    "cmaes": {"evaluations": 60},
    "random": {"evaluations": 20},
    "lookup": {},
    "multistart": {"starts": 4},
    "batched": {"starts": 4, "engine": "batched", "gradient": "exact"},
    "enumerated": {"starts": 2, "discrete": "enumerate"},
    "uniform": {"starts": 4, "start_from": "uniform"},
    "neural_adjoint": {"starts": 4},
    "coordinate": {"starts": 3},
    "certified": {"boxes": 300, "starts": 2},
    "near": {"boxes": 300, "starts": 2, "distance": 0.5},
    "common": {"boxes": 300, "starts": 2, "isolation": 0.6},
}
# The inverter of a kind above, where it is not the kind's name.
OF = {"near": "certified", "common": "certified", **dict.fromkeys(("batched", "enumerated", "uniform"), "multistart")}
ON_TREES = ("coordinate", "certified", "near", "common")
ENTRIES = ({"minimize": "y"}, {"target": {"y": 0.5}, "tolerance": 0.01}, {"within": {"y": [0.2, 0.3]}})


class Wave:
    """A smooth model with a gradient, of inputs scaled by their ranges."""

    def __init__(self, space, rng):
        self.low, self.width = np.array([i.low for i in space.inputs]), space.width
        self.slope, self.at = rng.normal(size=len(space.inputs)), rng.uniform(size=len(space.inputs))

    def scaled(self, X):
        return (X - self.low) / self.width

    def predict(self, X):
        u = self.scaled(X)
        return (np.sin(3 * u @ self.slope) + ((u - self.at) ** 2).sum(axis=1))[:, None]

    def gradient(self, X):
        u = self.scaled(X)
        slope = 3 * np.cos(3 * u @ self.slope)[:, None] * self.slope + 2 * (u - self.at)
        return self.predict(X), (slope / self.width)[:, None, :]

    def traceable(self):
        return _traced, (self.low, self.width, self.slope, self.at)


def _traced(parameters, x):
    import jax.numpy as jnp

    low, width, slope, at = parameters
    u = (x - low) / width
    return (jnp.sin(3 * u @ slope) + ((u - at) ** 2).sum())[None]


def question(space, seed, entry):
    rng = np.random.default_rng(seed)
    model = Wave(space, rng)
    rows = rng.uniform(space.low, space.high, (30, len(space.inputs)))
    X = np.concatenate([space.rounded(rows), polytope.sample(space, 10, rng)])
    Y = model.predict(X)
    wanted = objective.build("o", entry, ["y"], [float(Y.std())], [float(np.ptp(Y))])
    return Question(space, wanted, model.predict, X, Y, np.arange(1, 41), gradient=model.gradient,
                    traceable=model.traceable())  # fmt: skip


def with_trees(q, outputs):
    """Return the question asked of a forest of the same rows."""
    model = RandomForestRegressor(5, max_leaf_nodes=12, random_state=0)
    forest = from_sklearn(model.fit(q.X, outputs[:, 0] if outputs.shape[1] == 1 else outputs))
    return replace(q, predict=forest.predict, gradient=None, traceable=None, trees=forest)


def check(kind, seed):
    space, _ = random_space(seed, [1.0, 1e-6, 1e6][seed % 3])
    q = question(space, seed, ENTRIES[seed % len(ENTRIES)])
    q = with_trees(q, q.Y) if kind in ON_TREES else q
    try:
        answer, _ = asked(kind, q, seed)
    except StudyError as error:
        assert kind == "enumerated" and "combinations of" in str(error)
        return
    proposed = ~np.isnan(answer.X).any(axis=1)
    # A proof may be that there is nothing near the data, or end before anything is found there.
    assert proposed.all() or kind in ("lookup", "near", "common")
    assert all(valid(space, x) for x in answer.X[proposed])


def asked(kind, q, seed):
    return asking.ask(inverter(OF.get(kind, kind), KINDS[kind]), [q], np.random.default_rng(seed))[0]


def test_every_inverter_is_among_these():
    ours = {kind.kind for kind in Inverter.registry.values() if kind.__module__.startswith("preimage.")}
    assert {OF.get(kind, kind) for kind in (*KINDS, *FRONTS)} == ours


@pytest.mark.some(3)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_every_candidate_is_valid(kind, seed):
    check(kind, seed)


def test_searches_that_all_meet_the_objective_are_valid():
    check("neural_adjoint", 25)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_every_candidate_of_200_studies_is_valid(kind):
    for seed in range(200):
        check(kind, seed)


# -- limits of outputs -------------------------------------------------------------------------------------------------


def limited_question(space, seed):
    """Return a question for one of two outputs within a limit of the other, which half of the valid rows keep."""
    rng = np.random.default_rng(seed)
    waves = [Wave(space, rng) for _ in range(2)]
    rows = rng.uniform(space.low, space.high, (30, len(space.inputs)))
    X = np.concatenate([space.rounded(rows), polytope.sample(space, 10, rng)])

    def predict(X):
        return np.hstack([wave.predict(X) for wave in waves])

    def gradient(X):
        return predict(X), np.concatenate([wave.gradient(X)[1] for wave in waves], axis=1)

    Y = predict(X)
    limit = {"c": {"at_most": float(np.quantile(Y[space.contains(X), 1], 0.5, method="higher"))}}
    wanted = objective.build(
        "o", {**ENTRIES[seed % len(ENTRIES)], "subject_to": limit}, ["y", "c"], Y.std(axis=0), np.ptp(Y, axis=0), Y
    )
    return Question(space, wanted, predict, X, Y, np.arange(1, 41), gradient=gradient,
                    traceable=(_both_traced, tuple(wave.traceable()[1] for wave in waves)))  # fmt: skip


def _both_traced(parameters, x):
    import jax.numpy as jnp

    return jnp.concatenate([_traced(own, x) for own in parameters])


def check_limited(kind, seed):
    """None is called `ok` that misses the limit; a proof, and searches that begin at rows that keep it, end within."""
    space, _ = random_space(seed, [1.0, 1e-6, 1e6][seed % 3])
    q = limited_question(space, seed)
    q = with_trees(q, q.Y) if kind in ON_TREES else q
    try:
        answer, Y = asked(kind, q, seed)
    except StudyError as error:
        assert kind == "enumerated" and "combinations of" in str(error)
        return
    proposed = ~np.isnan(answer.X).any(axis=1)
    assert all(valid(space, x) for x in answer.X[proposed])
    violation = q.objective.violation(Y)
    if OF.get(kind, kind) in ("multistart", "certified"):
        assert not any(s == "ok" and v > 0 for s, v in zip(answer.status, violation, strict=True))
    if kind in ("multistart", "certified") and (q.objective.violation(q.predict(q.X[space.contains(q.X)])) == 0).any():
        assert np.nanmin(violation) == 0


@pytest.mark.some(3)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "batched"])
def test_every_candidate_under_a_limit_is_valid(kind):
    # The second has an input whose values round an end out of the limit.
    for seed in (1, 23):
        check_limited(kind, seed)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_every_candidate_of_200_studies_under_a_limit_is_valid(kind):
    for seed in range(200):
        check_limited(kind, seed)


# -- fronts ------------------------------------------------------------------------------------------------------------

FRONTS = {
    "nsga2": {"evaluations": 60, "members": 12},
    "multistart": {"starts": 2, "points": 4},
    "random": {"evaluations": 20},
    "lookup": {},
    "certified": {"boxes": 300, "starts": 1},
}


def check_front(kind, seed):
    """Of two models at once, with a limit on a third output in every other study."""
    space, _ = random_space(seed, [1.0, 1e-6, 1e6][seed % 3])
    rng = np.random.default_rng(seed)
    waves = [Wave(space, rng) for _ in range(3)]
    rows = rng.uniform(space.low, space.high, (30, len(space.inputs)))
    X = np.concatenate([space.rounded(rows), polytope.sample(space, 10, rng)])

    def predict(X):
        return np.hstack([wave.predict(X) for wave in waves])

    def gradient(X):
        return predict(X), np.concatenate([wave.gradient(X)[1] for wave in waves], axis=1)

    Y = predict(X)
    limit = {"subject_to": {"c": {"at_most": float(np.median(Y[:, 2]))}}} if seed % 2 else {}
    entry = {"pareto": {"minimize": ["a"], "maximize": ["b"]}, **limit}
    wanted = objective.build("o", entry, ["a", "b", "c"], Y.std(axis=0), np.ptp(Y, axis=0), Y)
    q = Question(space, wanted, predict, X, Y, np.arange(1, 41), gradient=gradient)
    q = with_trees(q, Y) if kind in ON_TREES else q
    answer, found = asking.ask(inverter(kind, FRONTS[kind]), [q], np.random.default_rng(seed))[0]
    proposed = ~np.isnan(answer.X).any(axis=1)
    assert proposed.all() or kind in ("lookup", "certified")
    assert all(valid(space, x) for x in answer.X[proposed])
    ranks = wanted.ranking(found)
    first = np.argsort(ranks)[: int(wanted.best(found).sum())]
    assert set(first) == set(np.flatnonzero(wanted.best(found)))


@pytest.mark.parametrize("kind", FRONTS)
@pytest.mark.parametrize("seed", range(2))
def test_every_candidate_of_a_front_is_valid(kind, seed):
    check_front(kind, seed)


@pytest.mark.long
@pytest.mark.parametrize("kind", FRONTS)
def test_every_candidate_of_200_fronts_is_valid(kind):
    for seed in range(200):
        check_front(kind, seed)
