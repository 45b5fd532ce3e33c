"""Where inputs must lie for a model's word to count: near the data, and not isolated from it.

Near is at most a distance, in inputs scaled to [0, 1], from the nearest training row; distinct categories are 1 apart.
A box's distance to a row is that to the row moved into the box, so whether any of its inputs is near is known exactly,
and which one is nearest; where constraints cut the box, `forest_nearest` says.

Isolated is what few random cuts part from the data: an isolation forest's anomaly score (Liu, Ting and Zhou 2008,
"Isolation forest", ICDM) is 2 to the power of minus the mean path length over its trees, in units of the usual one. Its
trees are put on the grid of the model's own thresholds; on a box a path is at most the longest of the leaves that the
box meets, and these, added up in the order in which scikit-learn adds, bound the very sum that it computes there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from preimage.core.space import Space
from preimage.trees.boxes import Channels, Trees
from preimage.trees.forest import Forest, assemble, plain
from preimage.trees.standardised import Inputs

# What rounding may make of the square of a distance, relative to it.
ROUNDING = 1e-12


class Near(NamedTuple):
    """Where inputs must lie: at most `distance` from one of the rows (n, d), as `Space.coordinates` has it: numbers
    scaled to [0, 1], distinct categories 1 apart."""

    data: np.ndarray
    distance: float

    @property
    def most(self) -> float:
        """The largest square that is near: a rounding more, so that a distance met exactly is met."""
        return self.distance**2 * (1 + ROUNDING)

    def holds(self, space: Space, X: np.ndarray) -> np.ndarray:
        """Return which points (n, d) are near enough."""
        return np.array([bool((square(space, x, self.data) <= self.most).any()) for x in X], bool)

    def pulled(self, space: Space, X: np.ndarray) -> np.ndarray:
        """Return points (n, d), those too far moved straight towards the nearest row until they are near enough."""
        out = X.copy()
        for k in np.flatnonzero(~self.holds(space, X)):
            row = self.data[np.argmin(square(space, X[k], self.data))]
            x = np.where(space.discrete, row, X[k])  # whole numbers and categories go all the way
            share = self.distance / max(np.sqrt(square(space, x, row)), self.distance)
            out[k] = row + share * (x - row)
        return out


def square(space: Space, X: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the squared distance between points and rows, (..., d) each; see `Space.coordinates`."""
    away = (X - rows) / space.width
    if space.categorical.any():
        away = np.where(space.categorical, rows != X, away)
    return np.asarray((away**2).sum(axis=-1))


class Isolation(NamedTuple):
    """Where inputs must lie: where an isolation forest's paths add up to `least` or more.

    Attributes:
        paths: the trees, with the path length of each leaf as its value.
        usual: what paths add up to where the score is 1/2.
        least: the smallest float64 sum whose score is at most the one asked for.
        said: the scores (n,) of points (n, d) in scikit-learn's own word, of larger meaning more isolated.
    """

    paths: Forest
    usual: float
    least: float
    said: Callable[[np.ndarray], np.ndarray]

    def check(self, X: np.ndarray) -> None:
        """Raise RuntimeError where the arrays are not scikit-learn's forest at points (n, d)."""
        searched, said = self.score(X), self.said(X)
        if not np.array_equal(searched, said):
            raise RuntimeError(f"anomaly scores {said.tolist()} are not those of the trees {searched.tolist()}")

    def holds(self, X: np.ndarray) -> np.ndarray:
        """Return which points (n, d) are common enough."""
        return np.asarray(self.paths.predict(X)[:, 0] >= self.least)

    def score(self, X: np.ndarray) -> np.ndarray:
        """Return the anomaly score (n,) of points (n, d): scikit-learn's `-score_samples`, to the bit."""
        return _score(self.paths.predict(X)[:, 0], self.usual)

    @property
    def channels(self) -> Channels:
        """Path lengths as what is to be made large."""
        return Channels(self.paths.values.T, np.zeros(1))


def isolation(X: np.ndarray, most: float, seed: int, levels: np.ndarray) -> Isolation:
    """Fit an isolation forest (scikit-learn's, 100 trees of 256 rows) to rows (n, d), to keep inputs where its anomaly
    score is at most `most`.

    It is fitted to columns of any unit alike (see `preimage.trees.standardised`): a cut of a category parts one of
    its values, of which there are `levels` (d,), 0 for a number, from the others.
    """
    from sklearn.ensemble import IsolationForest

    inputs = Inputs.of(X, np.empty((len(X), 0)), levels)
    return from_sklearn(IsolationForest(random_state=seed, n_jobs=1).fit(inputs(X)), most, inputs)


def from_sklearn(model: Any, most: float, inputs: Inputs | None = None) -> Isolation:
    """Return a fitted `IsolationForest` of such columns, or of plain points, as arrays; a leaf's path is as long as the
    cuts above it, and what its own rows would take to be parted."""
    trees = [e.tree_ for e in model.estimators_]
    paths = [(t.compute_node_depths() + _usual_path(t.n_node_samples) - 1.0)[:, None] for t in trees]
    nodes = plain(trees, paths) if inputs is None else list(inputs.trees(trees, paths))
    usual = len(trees) * float(_usual_path(np.array([model.max_samples_]))[0])
    columns = inputs or np.asarray
    return Isolation(
        assemble(nodes, np.zeros(1)), usual, _least(usual, most), lambda X: -model.score_samples(columns(X))
    )


def _usual_path(rows: np.ndarray) -> np.ndarray:
    """Return the mean number of random cuts that part one of so many rows from the rest, (n,)."""
    n = np.maximum(rows, 3).astype(float)
    many = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, many))


def _score(total: np.ndarray, usual: float) -> np.ndarray:
    return np.asarray(2 ** -(total / usual if usual else np.ones_like(total)))


def _least(usual: float, most: float) -> float:
    """Return the smallest sum whose score is at most `most`: inf where there is none, by bisection over floats."""

    def low_enough(total: float) -> bool:
        return bool(_score(np.array([total]), usual)[0] <= most)

    a, b = 0.0, 1100.0 * max(usual, 1.0)  # beyond, a score is 0
    if low_enough(a):
        return a
    if not low_enough(b):
        return np.inf
    while np.nextafter(a, np.inf) < b:
        middle = a / 2 + b / 2
        a, b = (a, middle) if low_enough(middle) else (middle, b)
    return b


@dataclass(frozen=True)
class Domain:
    """Where inputs must lie: each of `near` and `common` that there is must hold.

    Attributes:
        paths: the trees of `common` on the grid of the search.
        rows: training rows (n, d), distinct.
    """

    space: Space
    rows: np.ndarray
    near: Near | None = None
    common: Isolation | None = None
    paths: Trees | None = None

    def holds(self, X: np.ndarray) -> np.ndarray:
        """Return which points (n, d) lie there."""
        held = np.ones(len(X), bool)
        if self.near is not None:
            held = self.near.holds(self.space, X)
        if self.common is not None and held.any():
            held[held] = self.common.holds(X[held])
        return held

    def offers(self, X: np.ndarray) -> np.ndarray:
        """Return points to begin from: X (n, d) moved towards the data, and the rows that lie in the domain."""
        return np.concatenate([self.pulled(X), self.rows[self.holds(self.rows)]])

    def pulled(self, X: np.ndarray) -> np.ndarray:
        """Return points (n, d) moved towards the data, as far as it takes for them to lie in the domain."""
        X = self.near.pulled(self.space, X) if self.near is not None else X
        return self._shortened(X, self.rows[self.holds(self.rows)])

    def _shortened(self, X: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Move points that are isolated towards the nearest of the rows, by as many eighths of the way as it takes."""
        out = X.copy()
        if self.common is None or not len(rows):
            return out
        for k in np.flatnonzero(~self.common.holds(X)):
            row = rows[np.argmin(square(self.space, X[k], rows))]
            share = np.linspace(1, 0, 9)[:, None]
            way = row + share * (X[k] - row)
            way = np.where(self.space.discrete, np.round(way), way)
            way = np.where(self.space.categorical, np.where(share > 0.5, X[k], row), way)
            held = np.flatnonzero(self.holds(way))
            out[k] = way[held[0]] if len(held) else X[k]
        return out
