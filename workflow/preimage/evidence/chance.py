"""How likely a candidate is to come out as wanted: the share of what its outputs may turn out to be that does.

Targets and bands: all values and limits are met at once. A direction: the best row that was measured is beaten, with
all limits kept; where no such row is known, the limits alone. A trade-off: no row dominates it. Inputs that vary are
drawn too. The interval is that of a share that was counted among so many rows (Jeffreys: Brown, Cai, DasGupta 2001,
Statistical Science 16).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from preimage.core.candidates import CHANCE, inputs_of
from preimage.core.formulas import Formulas
from preimage.core.objective import Draws, Objective
from preimage.core.sizes import FIRST
from preimage.core.space import Space
from preimage.data.split_rows import SplitRows
from preimage.surrogates import predictive
from preimage.surrogates.predictive import Predictive
from preimage.surrogates.protocol import Surrogate

LEVEL = 0.9
# Outputs held at once.
AT_ONCE = 500_000


@dataclass(frozen=True)
class Outlook:
    """What outputs, formulas among them, may turn out to be by a surrogate and the rows that it was trained on.

    Attributes:
        X, Y: these rows (n, d) and their outputs (n, m).
    """

    model: Surrogate
    predictive: Predictive
    formulas: Formulas
    X: np.ndarray
    Y: np.ndarray

    @property
    def rows(self) -> int:
        """The number of draws at a point."""
        return len(self.predictive.Z)

    def draws(self, X: np.ndarray) -> np.ndarray:
        """Return equally likely outputs (p, rows, m) at points (p, d)."""
        Y = self.predictive.draws(X, self.model.predict(X), self.model.spread(X))
        if not self.formulas:
            return Y
        p, n, m = Y.shape
        whole: np.ndarray = self.formulas.extended(np.repeat(X, n, axis=0), Y.reshape(p * n, m))
        return whole.reshape(p, n, -1)

    def interval(self, X: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return means of the draws at points (p, d), and the ends between which this share of them lies, (p, m)
        each."""
        Y = self.draws(X)
        low, high = np.quantile(Y, [(1 - level) / 2, (1 + level) / 2], axis=1)
        # The mean of equal numbers is one of them, but for rounding.
        return np.where(low == high, low, Y.mean(axis=1)), low, high

    def known(self, wanted: Objective, space: Space) -> np.ndarray:
        """Return the outputs (k, m) of those rows that an objective allows."""
        allowed = wanted.allowed(space).contains(self.X) & np.isfinite(self.Y).all(axis=1)
        return self.Y[allowed & (wanted.violation(self.Y) == 0)]


def outlooks(
    models: Mapping[str, Surrogate], tables: Sequence[str], found: SplitRows, rng: np.random.Generator
) -> dict[str, Outlook]:
    """Return by surrogate what outputs may turn out to be; without those of whose errors too little is known.

    Args:
        tables: files of their out-of-fold predictions, in the same order.
    """
    train, names, known = found.train, found.outputs, {}
    for (name, model), path in zip(models.items(), tables, strict=True):
        table = pd.read_parquet(path)
        held, spread = (table[[f"{part}.{o}" for o in names]].to_numpy(float) for part in ("predicted", "spread"))
        fitted = predictive.fit(train.X, train.levels, train.Y[:, : len(names)], (held, spread), model, rng)
        if fitted is not None:
            known[name] = Outlook(model, fitted, found.formulas, train.X, train.Y)
    return known


def with_chance(
    frame: pd.DataFrame,
    space: Space,
    outlooks: Mapping[str, Outlook],
    objectives: Mapping[str, Objective],
    draws: Mapping[str, Draws],
) -> pd.DataFrame:
    """Return the table with `CHANCE`; null where nothing is known of a surrogate's errors, and where inputs vary after
    the first ten of a case.

    Args:
        outlooks: by surrogate.
        draws: how inputs vary, by objective with variation.
    """
    found = np.full((len(frame), len(CHANCE)), np.nan)
    has = frame["predicted_loss"].notna().to_numpy()
    first = (frame["rank"] <= FIRST).fillna(False).to_numpy(bool)
    for (surrogate, name), at in frame.groupby(["surrogate", "objective"], sort=False).indices.items():
        varied = draws.get(str(name))
        mine = at[has[at] & (first[at] if varied else True)]
        if str(surrogate) in outlooks and len(mine):
            X = space.encode(inputs_of(frame.iloc[mine], space))
            found[mine] = of_points(X, outlooks[str(surrogate)], objectives[str(name)], space, varied)
    return frame.assign(**{column: found[:, k] for k, column in enumerate(CHANCE)})


def of_points(
    X: np.ndarray, outlook: Outlook, wanted: Objective, space: Space, varied: Draws | None = None
) -> np.ndarray:
    """Return the numbers of `CHANCE` at points (p, d), (p, 4).

    Args:
        varied: how inputs vary.
    """
    nominal = wanted.nominal
    known = outlook.known(nominal, space)
    size = max(1, AT_ONCE // (outlook.rows * (len(varied.absolute) if varied else 1)))
    found = [_shares(X[k : k + size], outlook, nominal, known, varied) for k in range(0, len(X), size)]
    chance, loss = np.concatenate(found, axis=1)
    if not (nominal.bounded or nominal.limits or len(known)):
        chance[:] = np.nan  # there is nothing to beat, and nothing to keep
    return np.column_stack([chance, *interval(chance, outlook.rows), loss])


def _shares(
    X: np.ndarray, outlook: Outlook, wanted: Objective, known: np.ndarray, varied: Draws | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of outcomes at points (p, d) that is as wanted, and their mean loss, each (p,)."""
    P = X if varied is None else varied.around(X).reshape(-1, X.shape[1])
    Y = outlook.draws(P)
    flat = Y.reshape(-1, Y.shape[-1])
    shape = (len(X), -1)
    return wanted.achieved(flat, known).reshape(shape).mean(axis=1), wanted.loss(flat).reshape(shape).mean(axis=1)


def interval(share: np.ndarray, rows: int, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval of shares (p,) that were counted among so many rows."""
    hits = share * rows
    low, high = (betaincinv(hits + 0.5, rows - hits + 0.5, q) for q in ((1 - level) / 2, (1 + level) / 2))
    return np.where(share == 0, 0.0, low), np.where(share == 1, 1.0, high)
