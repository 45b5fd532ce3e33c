"""A batch of experiments as a table to run and to fill in (`preimage.data.experiments` reads it back)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from preimage.acquisition import chance
from preimage.acquisition.aims import columns_of
from preimage.acquisition.batch import IMPROVES, NEAR, Batch, Beliefs, Wish
from preimage.acquisition.process import Normal
from preimage.core.objective import Draws, Objective, Varied
from preimage.core.space import Space
from preimage.data.experiments import PARTS, Names, digests

# Half the width of an interval that holds 90 % of a normal distribution.
NINETY = 1.6448536269514722
REASONS = {IMPROVES: "largest expected improvement", "learns": "least known"}

Chance = Callable[[Objective, Mapping[int, Normal], float | None], np.ndarray]


def table(
    space: Space,
    outputs: Sequence[str],
    measured: Sequence[str],
    wishes: Sequence[Wish],
    batch: Batch,
    beliefs: Beliefs,
    Y: np.ndarray,
    X: np.ndarray,
    draws: Mapping[str, Draws],
    chance_of: Chance = chance.of,
) -> pd.DataFrame:
    """Return a row for each experiment of a batch, in the study's own names.

    Args:
        outputs: all outputs in order of Y (k, m), formulas too; `measured` are those to fill in.
        X: the measured rows (k, d).
        draws: by objective, how its inputs vary.
        chance_of: the chance of an objective, of predictive distributions (see `preimage.acquisition.chance`).
    """
    objectives = [w.objective for w in wishes]
    columns = columns_of(objectives)
    names = Names.beside([*space.names, *measured])
    frame = pd.DataFrame(space.decode(batch.X))
    out = pd.DataFrame({names.recipe: digests(frame), **frame, **dict.fromkeys(measured, np.nan)})
    out[names.reason] = [f"{REASONS[why]}: {objectives[k].name}" for k, why in zip(batch.wish, batch.why, strict=True)]
    out[names.chance] = np.nan
    for k, wish in enumerate(wishes):
        mine = np.flatnonzero(np.array(batch.wish) == k)
        if len(mine):
            values = _chance(wish, batch.X[mine], beliefs, X, Y, draws.get(wish.objective.name), chance_of)
            out.loc[mine, names.chance] = np.round(values, 4)
    predicted = beliefs.predict(batch.X, columns)
    for part, sign in zip(PARTS, (0.0, -NINETY, NINETY), strict=True):
        for c in columns:
            mean, deviation = _mixed(predicted[c])
            out[f"{part}.{outputs[c]}"] = mean + sign * deviation
    return out


def _mixed(at: Normal) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (n,) of a mixture of normal distributions (n, p)."""
    mean = at.mean.mean(axis=1)
    return mean, np.sqrt((at.deviation**2 + (at.mean - mean[:, None]) ** 2).mean(axis=1))


def _chance(
    wish: Wish, P: np.ndarray, beliefs: Beliefs, X: np.ndarray, Y: np.ndarray, draws: Draws | None, chance_of: Chance
) -> np.ndarray:
    """Return the chance at points (n, d), of inputs that vary the mean over the draws around them."""
    objective = wish.objective.nominal
    columns = columns_of([objective])
    counts = (wish.space.violation(X) <= NEAR) & (objective.violation(Y) == 0)
    loss = np.asarray(objective.loss(Y[counts]), float)
    best = float(np.nanmin(loss)) if np.isfinite(loss).any() else None
    if draws is None or not isinstance(wish.objective, Varied):
        return chance_of(objective, beliefs.predict(P, columns), best)
    around = draws.around(P)
    values = chance_of(objective, beliefs.predict(around.reshape(-1, P.shape[1]), columns), best)
    return np.asarray(values.reshape(around.shape[:2]).mean(axis=1))
