"""Inverter `nsga2`: the non-dominated sorting genetic algorithm (Deb, Pratap, Agarwal, Meyarivan 2002, IEEE
Transactions on Evolutionary Computation 6), with simulated binary crossover and polynomial mutation.

It is written here rather than taken from pymoo, whose other parts and eleven more packages (40 MB, four of them
compiled) would come along for it: sorting, crowding and hypervolume are needed by tables and figures anyway, where that
library would be slow to load, and what is left is two operators. A benchmark compares both at equal evaluations.

Inputs are scaled to [0, 1], outputs count in shares of the training rows' ranges: units have no part in it. Children
are repaired before the model sees them, and stay where repair has put them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.core import fronts, polytope
from preimage.core.objective import Pareto
from preimage.core.space import Space
from preimage.inversion.kinds.nsga2 import Nsga2
from preimage.inversion.question import Answer, Question, SearchContext, repaired

# Of the paper: how near children are to their parents, and the share of pairs that cross.
CROSSING, MUTATION, PAIRS = 15.0, 20.0, 0.9
# Children in a row none of which is a new point, after which the space is taken to be used up.
IDLE = 500
# A front of more points than these, by which ranks span it, is thinned.
MOST_ROWS = 1000


class Members(NamedTuple):
    """A population.

    Attributes:
        X, Y: points (n, d) and their outputs (n, m).
        front: of each, from 0 (n,); those that miss a limit are in one front behind all others.
        room: how far each is from its neighbours in the front (n,): more is better. Of those that miss a limit, by how
            little they do.
    """

    X: np.ndarray
    Y: np.ndarray
    front: np.ndarray
    room: np.ndarray

    def at(self, index: np.ndarray) -> Members:
        """Return the members at these positions."""
        return Members(*(part[index] for part in self))


def invert(question: Question, options: Nsga2, context: SearchContext) -> Answer:
    """Evolve a population until `evaluations` are spent; each point of the front of all that were seen is a row (up to
    1,000 that span it). Where none keeps the limits, each member of the last population is."""
    space, wanted, rng, total = question.space, question.objective, context.rng, options.evaluations
    assert isinstance(wanted, Pareto)
    if not space.free.any():
        return Answer(space.low[None], [1], ["ok"], ["every input is fixed"])
    size = min(options.members, total)
    X = np.unique(_first(question, size, rng), axis=0)
    members = _judged(wanted, X, question.outputs(X))
    seen = members.at(np.flatnonzero(wanted.best(members.Y)))
    spent, generations, idle = len(X), 0, 0
    while spent < total and idle < IDLE:
        X = _new(_children(space, members, size, rng), members.X)[: total - spent]
        generations, idle = generations + 1, 0 if len(X) else idle + size
        if not len(X):
            continue
        spent += len(X)
        children = _judged(wanted, X, question.outputs(X))
        members, seen = _survivors(wanted, members, children, size), _extended(wanted, seen, children)
        if context.report:
            context.report(spent, float(np.nanmin(wanted.loss(members.Y), initial=np.inf)))
    rows = seen if len(seen.X) else members
    X = rows.X[np.argsort(wanted.ranking(rows.Y), kind="stable")[:MOST_ROWS]]
    each = [spent // len(X) + (k < spent % len(X)) for k in range(len(X))]
    return Answer(X, each, ["ok"] * len(X), [f"{generations} generations of {size}"] * len(X))


def _extended(wanted: Pareto, seen: Members, children: Members) -> Members:
    """Return the front of all that were seen, with the children that extend it; of equal outputs the first stays."""
    new = children.at(np.flatnonzero(wanted.best(children.Y)))
    F, G = wanted.shares(seen.Y), wanted.shares(new.Y)
    _, first = np.unique(G, axis=0, return_index=True)
    fresh = np.array([k for k in np.sort(first) if not (G[k] >= F).all(axis=1).any()], int)
    kept = seen.at(np.flatnonzero(~fronts.dominated_by(F, G[fresh])))
    return Members(*(np.concatenate(pair) for pair in zip(kept, new.at(fresh), strict=True)))


def _first(question: Question, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the first population (n, d): up to half of it the training rows that rank first, the others spread
    evenly."""
    rows = question.X[question.best_rows(size // 2)]
    return np.concatenate([rows, polytope.sample(question.space, size - len(rows), rng, "latin_hypercube")])


def _judged(wanted: Pareto, X: np.ndarray, Y: np.ndarray) -> Members:
    """Return points (n, d) with outputs (n, m) as members."""
    F, violation = wanted.shares(Y), wanted.violation(Y)
    number, room = fronts.sorted_fronts(np.where(violation[:, None] == 0, F, np.nan)), -violation
    for k in np.unique(number[violation == 0]):
        here = number == k
        room[here] = fronts.crowding(F[here])
    return Members(X, Y, number, np.where(np.isnan(room), -np.inf, room))


def _survivors(wanted: Pareto, members: Members, children: Members, size: int) -> Members:
    """Return the best of parents and children: by front, and within one those with the most room."""
    both = _judged(wanted, *(np.concatenate(pair) for pair in zip(members[:2], children[:2], strict=True)))
    return both.at(np.lexsort((-both.room, both.front))[:size])


def _new(children: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the children (n, d) that are neither known (m, d) nor there twice, in their order."""
    seen = {x.tobytes() for x in known}
    fresh = []
    for k, x in enumerate(children):
        if (key := x.tobytes()) not in seen:
            seen.add(key)
            fresh.append(k)
    return children[fresh]


# -- children ----------------------------------------------------------------------------------------------------------


def _children(space: Space, members: Members, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n children (n, d) of members chosen by tournaments of two, each valid."""
    free, low, width = space.free, space.low[space.free], (space.high - space.low)[space.free]

    def scaled(X: np.ndarray) -> np.ndarray:
        return np.asarray((space.places(X)[:, free] - low) / width)

    pairs = -(-n // 2)
    U = scaled(members.X)
    mothers, fathers = (U[_chosen(members, pairs, rng)] for _ in range(2))
    children = _crossed(mothers, fathers, space, rng)[:n]
    anywhere = scaled(polytope.sample(Space(space.inputs), n, rng))
    X = np.tile(space.low, (n, 1))
    X[:, free] = low + width * _mutated(children, anywhere, space, rng)
    return repaired(space, space.codes(space.rounded(X)))[0]


def _chosen(members: Members, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the winners (n,) of tournaments of two members: the earlier front wins, then the one with more room."""
    a, b = rng.integers(len(members.X), size=(2, n))
    same = members.front[a] == members.front[b]
    first = np.where(same, members.room[a] >= members.room[b], members.front[a] < members.front[b])
    return np.where(first, a, b)


def _crossed(mothers: np.ndarray, fathers: np.ndarray, space: Space, rng: np.random.Generator) -> np.ndarray:
    """Return two children of each pair (n, k), scaled to [0, 1], by simulated binary crossover; categories are
    exchanged.

    Under linear constraints all inputs of a pair are mixed in one proportion, which keeps to equalities.
    """
    shape = (len(mothers), 1) if space.constraints else mothers.shape
    u = rng.random(shape)
    beta = np.where(u <= 0.5, 2 * u, 0.5 / np.maximum(1 - u, 1e-16)) ** (1 / (CROSSING + 1))
    crossed = (rng.random(shape) < 0.5) | bool(space.constraints)
    category = space.categorical[space.free]
    own = np.where(crossed & ~category, (1 + beta) / 2, 1.0)
    exchanged = np.where(category, rng.random(mothers.shape), rng.random(shape)) < 0.5
    own = np.where(exchanged, 1 - own, own)
    own = np.where(rng.random((len(mothers), 1)) < PAIRS, own, 1.0)
    both = np.concatenate([own * mothers + (1 - own) * fathers, own * fathers + (1 - own) * mothers])
    return np.clip(both, 0.0, 1.0)


def _mutated(U: np.ndarray, anywhere: np.ndarray, space: Space, rng: np.random.Generator) -> np.ndarray:
    """Return children (n, k) of which one input each changes on average: a number by polynomial mutation, an input that
    takes separate values to that of a random point (n, k), and one that may be 0 or some amount in either way."""
    changed = rng.random(U.shape) < 1 / U.shape[1]
    u = rng.random(U.shape)
    power = 1 / (MUTATION + 1)
    step = np.where(u < 0.5, (2 * u) ** power - 1, 1 - (2 * (1 - u)) ** power)
    jumps = space.stepwise[space.free] | (space.gapped[space.free] & (rng.random(U.shape) < 0.5))
    return np.clip(np.where(changed, np.where(jumps, anywhere, U + step), U), 0.0, 1.0)
