"""Questions about concrete (Yeh 1998): mixes by their strength and price, by a forest of the real table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from preimage.core import formulas, objective
from preimage.core.space import Input, Space
from preimage.inversion.question import Question
from preimage.trees.forest import from_sklearn

CONCRETE = Path("config/data")
TREES = 100
# EUR per kg of what a mix is made of, in the order of the table: cement, slag, fly ash, water, superplasticiser, coarse
# and fine aggregate; age costs nothing.
PRICES = (0.11, 0.06, 0.04, 0.001, 1.8, 0.012, 0.014, 0.0)


def of_both(entry: dict[str, Any]) -> Question:
    """Return a question for mixes by strength and price, on scikit-learn's forest of both."""
    from sklearn.ensemble import RandomForestRegressor

    X, strength = _rows()
    Y = np.column_stack([strength[:, 0], X @ np.array(PRICES)])
    forest = from_sklearn(RandomForestRegressor(100, random_state=0, n_jobs=-1).fit(X, Y).set_params(n_jobs=1))
    wanted = objective.build("o", entry, ["strength", "price"], Y.std(axis=0), np.ptp(Y, axis=0), Y)
    return Question(_space(X), wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)


def by_formula(entry: dict[str, Any], trees: int = TREES, leaves: int | None = None, seed: int = 0) -> Question:
    """Return a question for mixes by the strength that a forest predicts, and by their price, a formula."""
    from sklearn.ensemble import RandomForestRegressor

    X, strength = _rows()
    model = RandomForestRegressor(trees, max_leaf_nodes=leaves, random_state=seed).fit(X, strength[:, 0])
    forest, space = from_sklearn(model), _space(X)
    text = " + ".join(f"{price}*x{j}" for j, price in enumerate(PRICES) if price)
    found = formulas.build({"price": {"expression": text}}, space, ["strength"])
    Y, names = found.extended(X, strength), ["strength", *found.names]
    wanted = objective.build("o", entry, names, Y.std(axis=0), np.ptp(Y, axis=0), Y)

    def predict(X: np.ndarray) -> np.ndarray:
        return found.extended(X, forest.predict(X))

    return Question(space, wanted, predict, X, Y, np.arange(len(X)), trees=forest, formulas=found)


def _rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the table's inputs (n, 8) and strengths (n, 1)."""
    import pandas as pd

    features, targets = (CONCRETE / f"concrete_{part}.parquet" for part in ("features", "targets"))
    return pd.read_parquet(features).to_numpy(float), pd.read_parquet(targets).to_numpy(float)


def _space(X: np.ndarray) -> Space:
    ends = zip(X.min(axis=0), X.max(axis=0), strict=True)
    return Space(tuple(Input(f"x{j}", float(a), float(b)) for j, (a, b) in enumerate(ends)))
