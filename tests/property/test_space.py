"""Whatever the space: what it holds, and that tables and plain values give it back."""

import json
import math

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from preimage.core.space import Space

from ..conftest import random_point, random_space

SEEDS = st.integers(0, 2**32 - 1)


def valid(space, x):
    """Whether one point is in the space, by the definitions, in plain Python."""
    for value, i in zip(x, space.inputs, strict=True):
        low, high = (i.low, i.high) if i.fixed is None else (i.fixed, i.fixed)
        if not low <= value <= high or ((i.integer or i.categories) and value != math.floor(value)):
            return False
    for row in space.constraints:
        terms = [(c, space.names.index(name)) for name, c in row.coefficients]
        total = math.fsum(c * x[j] for c, j in terms)
        reach = sum(abs(c) * max(abs(space.inputs[j].low), abs(space.inputs[j].high)) for c, j in terms) or 1.0
        if not row.low - 1e-9 * reach <= total <= row.high + 1e-9 * reach:
            return False
    return True


@given(SEEDS)
def test_contains_is_the_definition(seed):
    space, point = random_space(seed)
    rng = np.random.default_rng(seed)
    near = [point + 1e-3 * rng.standard_normal(len(point)) for _ in range(5)]
    X = np.array([point, *near, *(random_point(rng, space) for _ in range(10)), point + 100])
    assert space.contains(X).tolist() == [valid(space, x) for x in X]
    assert ((space.violation(X) == 0) == space.contains(X)).all() and (space.violation(X) >= 0).all()


@given(SEEDS)
def test_a_point_without_a_number_is_outside(seed):
    space, point = random_space(seed)
    for j in range(len(point)):
        X = point[None].copy()
        X[0, j] = np.nan
        assert not space.contains(X)[0]


@given(SEEDS)
def test_points_written_as_a_table_read_back_to_the_same_points(seed):
    space, _ = random_space(seed)
    rng = np.random.default_rng(seed)
    X = np.array([random_point(rng, space) for _ in range(5)])
    frame = pd.DataFrame(space.decode(X))
    assert list(frame) == space.names
    assert all(isinstance(v, str) == bool(i.categories) for i in space.inputs for v in frame[i.name])
    assert space.encode(frame).tobytes() == X.tobytes()
    assert list(space.decode(X, "x.")) == ["x." + name for name in space.names]


@given(SEEDS)
def test_plain_values_give_the_same_space(seed):
    space, point = random_space(seed)
    again = Space.from_dict(json.loads(json.dumps(space.to_dict(), allow_nan=False)))
    assert again == space
    assert again.violation(point).tobytes() == space.violation(point).tobytes()


@given(SEEDS)
def test_a_fixed_space_holds_exactly_the_points_with_that_value(seed):
    space, point = random_space(seed)
    free = [i for i in space.inputs if i.fixed is None]
    if free:
        (i, *_), j = free, space.names.index(free[0].name)
        value = i.categories[int(point[j])] if i.categories else float(point[j])
        pinned = space.fix({i.name: value})
        other = point.copy()
        other[j] = i.low if point[j] != i.low else i.high
        assert pinned.contains(point[None])[0] == space.contains(point[None])[0]
        assert not pinned.contains(other[None])[0]
        assert not pinned.free[j] and (pinned.scaled(point[None]) == space.scaled(point[None])).all()


@given(SEEDS)
def test_scaled_bounds_are_0_and_1(seed):
    space, _ = random_space(seed)
    low, high = (np.array([getattr(i, end) for i in space.inputs]) for end in ("low", "high"))
    assert (space.scaled(low[None]) == 0).all()
    np.testing.assert_allclose(space.scaled(high[None]), 1, rtol=1e-12)
