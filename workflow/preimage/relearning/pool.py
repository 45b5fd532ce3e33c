"""Points that a batch of simulations is chosen from, all inside the space.

Convex combinations of points of the space keep bounds and linear constraints by themselves; separate values are
rounded, and what then breaks a constraint is left out.
"""

from __future__ import annotations

import numpy as np

from preimage.core import polytope
from preimage.core.space import Space

# Draws around a point go a share of the way to a random point of the space, from this to all of it.
NEAREST = 1e-3
# In how many of the inputs: in many problems only a few matter at a time.
MOVED = (1.0, 0.5, 0.2)


def everywhere(space: Space, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n points (n, d) drawn uniformly over the space."""
    return polytope.sample(space, n, rng)


def around(space: Space, best: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return up to n points around the best ones (k, d), in all or some of their inputs."""
    share = np.exp(rng.uniform(np.log(NEAREST), 0, (n, 1)))
    start = best[rng.integers(len(best), size=n)]
    other = polytope.sample(space, n, rng)
    # A category has no place between two: it is one or the other.
    moved = np.where(space.categorical, other, start + share * (other - start))
    # Where a constraint ties inputs together, all of them move.
    chosen = rng.random((n, len(space.inputs))) < rng.choice(MOVED, (n, 1))
    tied = space.rows[0].any(axis=0)
    chosen[:, tied] = chosen[:, tied].any(axis=1, keepdims=True)
    return valid(space, np.where(chosen, moved, start))


def between(space: Space, best: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return up to n points made of the best ones (k, d) alone: averages of a few, and one moved by the difference of
    two others (differential evolution, Storn and Price 1997), which takes on the shape of the valley they lie in; a
    category is that of one of them."""
    weights = rng.dirichlet(np.full(len(best), 1 / min(3, len(best))), n // 3)
    averages = np.where(space.categorical, best[weights.argmax(axis=1)], weights @ best)
    a, b, c = best[rng.integers(len(best), size=(3, n - n // 3))]
    crossed = rng.random(a.shape) < 0.7
    step = a + rng.uniform(0, 1, (len(a), 1)) * (b - c)
    moved = np.where(crossed, np.where(space.categorical, b, step), a)
    return valid(space, np.concatenate([averages, moved]))


def valid(space: Space, X: np.ndarray) -> np.ndarray:
    """Return the points (n, d), rounded and cut to the bounds, that then satisfy the space.

    Of a space with more than linear constraints, they are those that can be moved into it quickly.
    """
    X = space.rounded(X)
    return X[space.contains(X)] if space.plain else polytope.near(space, X)
