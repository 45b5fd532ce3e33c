"""Random spaces with values, gaps and conditions of every kind, which a known point satisfies; and what a valid point
is, said apart from the library."""

import math
from dataclasses import replace

import numpy as np

from preimage.core.conditions import Condition, Count, Curved, Exclusion, Linear
from preimage.core.expressions import Expression
from preimage.core.inputs import Input
from preimage.core.space import Space

KINDS = ("number", "number", "gap", "steps", "list", "integer", "category")


def random_input(rng, name, scale, kinds=KINDS):
    kind = rng.choice(kinds)
    size = scale * float(rng.choice([1.0, 3.0, 10.0]))
    if kind == "number":
        return Input(name, float(rng.choice([0.0, -size])), size)
    if kind == "gap":
        return Input(name, 0.0, size, zero_or=float(rng.uniform(0.05, 0.5)) * size)
    if kind == "steps":
        return Input(name, 0.0, size, values=tuple(size / 5 * k for k in range(6)))
    if kind == "list":
        values = tuple(sorted({0.0, *(size * rng.uniform(0.05, 1, 3)).tolist()}))
        return Input(name, 0.0, values[-1], values=values)
    if kind == "integer":
        return Input(name, 0.0, float(rng.integers(2, 6)), integer=True)
    return Input(name, 0.0, 2.0, categories=("u", "w", "v"))


def allowed(rng, i):
    """Return a random value that an input may take; 0 rather often."""
    if i.categories or i.integer:
        return float(rng.integers(int(i.low), int(i.high) + 1))
    if i.values:
        return float(rng.choice(i.values))
    if i.low <= 0 and rng.random() < 0.4:
        return 0.0
    return float(rng.uniform(i.zero_or or i.low, i.high))


def random_space(seed, scale=1.0, kinds=KINDS, rows=True, curved=True, d=None):
    """Return a space of two to six inputs with some conditions of each kind, and a point that satisfies them."""
    rng = np.random.default_rng(seed)
    inputs = tuple(random_input(rng, f"x{j}", scale, kinds) for j in range(d or rng.integers(2, 7)))
    point = np.array([allowed(rng, i) for i in inputs])
    return Space(
        inputs,
        _rows(rng, inputs, point) if rows else (),
        _counts(rng, inputs, point),
        _exclusions(rng, inputs, point),
        _curved(rng, inputs, point) if curved else (),
    ), point


def _rows(rng, inputs, point):
    rows = []
    for _ in range(rng.integers(0, 3)):
        chosen = [j for j, i in enumerate(inputs) if not i.categories and rng.random() < 0.8]
        if not chosen:
            continue
        terms = tuple((inputs[j].name, float(rng.choice([-1, 1, 2])) / inputs[j].high) for j in chosen)
        value = sum(c * point[j] for (_, c), j in zip(terms, chosen, strict=True))
        slack = float(rng.choice([0.01, 0.3]))
        low, high = [(value, value), (value - slack, np.inf), (-np.inf, value + slack)][rng.integers(3)]
        rows.append(Linear(terms, low, high))
    return tuple(rows)


def _counts(rng, inputs, point):
    at = [j for j, i in enumerate(inputs) if i.low <= 0 and not i.categories]
    if len(at) < 2 or rng.random() < 0.3:
        return ()
    number = int(np.count_nonzero(point[at]))
    most = int(rng.integers(number, len(at) + 1))
    least = int(rng.integers(0, number + 1)) if rng.random() < 0.5 else 0
    counts = [Count(tuple(inputs[j].name for j in at), least, max(most, 1), (0.0,) * len(at))]
    if rng.random() < 0.3:
        other = [allowed(rng, i) for i in inputs]
        differ = int(np.sum(point != other))
        counts.append(Count(tuple(i.name for i in inputs), 0, max(differ, 1), tuple(other)))
    return tuple(counts)


def _exclusions(rng, inputs, point):
    found = []
    for _ in range(rng.integers(0, 3)):
        conditions = []
        for j in rng.permutation(len(inputs))[:2]:
            i = inputs[j]
            if i.categories:
                codes = tuple(sorted({int(rng.integers(3)), int(rng.integers(3))}))
                conditions.append(Condition(i.name, codes=codes, labels=tuple(i.categories[c] for c in codes)))
            else:
                a, b = sorted(rng.uniform(i.low, i.high, 2))
                conditions.append(Condition(i.name, *[(a, np.inf), (-np.inf, a), (a, b)][rng.integers(3)]))
        exclusion = Exclusion(tuple(conditions))
        if not all(c.met(point[[j]])[0] for c, j in _at(inputs, exclusion)):
            found.append(exclusion)
    return tuple(found)


def _at(inputs, condition):
    names = [i.name for i in inputs]
    return [(c, names.index(c.input)) for c in condition.conditions]


def _curved(rng, inputs, point):
    at = [j for j, i in enumerate(inputs) if not i.categories and not i.integer]
    if len(at) < 2 or rng.random() < 0.6:
        return ()
    a, b = rng.choice(at, 2, replace=False)
    p, q = (f"{inputs[j].name} / {inputs[j].high!r}" for j in (a, b))
    text = str(rng.choice([f"({p}) * ({q})", f"({p}) ** 2 + ({q}) ** 2", f"exp({p}) - ({q})"]))
    expression = Expression.parse(text, [i.name for i in inputs])
    value = float(expression.evaluate({i.name: np.array(point[j]) for j, i in enumerate(inputs)}))
    slack = float(rng.choice([0.05, 0.3]))
    return (Curved(expression, *[(value - slack, np.inf), (-np.inf, value + slack)][rng.integers(2)]),)


def valid(space, x, slack=1e-9):
    """Whether a point is valid, in plain Python: bounds, values, counts and exclusions exactly, rows to their scale."""
    named = dict(zip(space.names, (float(v) for v in x), strict=True))
    for i in space.inputs:
        v = named[i.name]
        low, high = (i.low, i.high) if i.fixed is None else (i.fixed, i.fixed)
        if not low <= v <= high or ((i.integer or i.categories) and v != math.floor(v)):
            return False
        if (i.values and v not in i.values) or (i.zero_or is not None and 0 < v < i.zero_or):
            return False
    by_name = {i.name: i for i in space.inputs}
    for row in space.constraints:
        total = math.fsum(c * named[n] for n, c in row.coefficients)
        reach = sum(abs(c) * max(abs(by_name[n].low), abs(by_name[n].high)) for n, c in row.coefficients) or 1.0
        if not row.low - slack * reach <= total <= row.high + slack * reach:
            return False
    for count in space.counts:
        if (
            not count.least
            <= sum(named[n] != r for n, r in zip(count.inputs, count.reference, strict=True))
            <= count.most
        ):
            return False
    for exclusion in space.exclusions:
        if all(_met(c, named[c.input]) for c in exclusion.conditions):
            return False
    for curved, scale in zip(space.curved, space.curved_scale, strict=True):
        value = float(curved.expression.evaluate({n: np.array(v) for n, v in named.items()}))
        if not curved.low - slack * scale <= value <= curved.high + slack * scale:
            return False
    return True


def _met(condition, v):
    return int(v) in condition.codes if condition.codes else condition.low <= v <= condition.high


def times(space, factor):
    """Return the space with its numbers (not its whole numbers, nor what is curved) counted in another unit."""
    assert not space.curved
    scaled = {i.name for i in space.inputs if not (i.integer or i.categories)}

    def by(name, v):
        return v * factor if name in scaled else v

    inputs = tuple(
        replace(
            i,
            low=by(i.name, i.low),
            high=by(i.name, i.high),
            values=tuple(by(i.name, v) for v in i.values),
            zero_or=None if i.zero_or is None else by(i.name, i.zero_or),
        )
        for i in space.inputs
    )
    rows = tuple(
        replace(r, coefficients=tuple((n, c / factor if n in scaled else c) for n, c in r.coefficients))
        for r in space.constraints
    )
    counts = tuple(
        replace(c, reference=tuple(by(n, r) for n, r in zip(c.inputs, c.reference, strict=True))) for c in space.counts
    )
    exclusions = tuple(
        Exclusion(tuple(replace(c, low=by(c.input, c.low), high=by(c.input, c.high)) for c in e.conditions))
        for e in space.exclusions
    )
    return Space(inputs, rows, counts, exclusions), np.array(
        [factor if i.name in scaled else 1.0 for i in space.inputs]
    )
