"""A batch of experiments as a table to run and to fill in (`preimage.data.experiments` reads it back)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

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
# The largest improvement may be expected where there is next to none: a chance below this is told as such.
HARDLY = 0.005
REASONS = {IMPROVES: "largest expected improvement", "learns": "least known"}


class Told(NamedTuple):
    """What is told of experiments for one objective: the chance that each comes out as wanted (n,), and of each output
    its prediction and the ends of an interval that holds 90 % (n, m)."""

    chance: np.ndarray
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray


Tell = Callable[[Objective, np.ndarray], Told]


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
    tell: Tell | None = None,
) -> pd.DataFrame:
    """Return a row for each experiment of a batch, in the study's own names.

    Args:
        outputs: all outputs in order of Y (k, m), formulas too; `measured` are those to fill in.
        X: the measured rows (k, d).
        draws: by objective, how its inputs vary.
        tell: of an objective, what a study's own model says of points (n, d); without, the processes that have chosen
            say it.
    """
    objectives = [w.objective for w in wishes]
    columns = columns_of(objectives)
    names = Names.beside([*space.names, *measured])
    frame = pd.DataFrame(space.decode(batch.X))
    out = pd.DataFrame({names.recipe: digests(frame), **frame, **dict.fromkeys(measured, np.nan)})
    out[names.reason] = [f"{REASONS[why]}: {objectives[k].name}" for k, why in zip(batch.wish, batch.why, strict=True)]
    out[names.chance] = np.nan
    out = out.assign(**{f"{part}.{outputs[c]}": np.nan for part in PARTS for c in columns})
    for k, wish in enumerate(wishes):
        mine = np.flatnonzero(np.array(batch.wish) == k)
        if not len(mine):
            continue
        P = batch.X[mine]
        told = tell(wish.objective, P) if tell else _by_beliefs(wish, P, beliefs, X, Y, columns, draws)
        out.loc[mine, names.chance] = np.round(told.chance, 4)
        hardly = mine[(told.chance < HARDLY) & (np.array(batch.why)[mine] == IMPROVES)]
        out.loc[hardly, names.reason] = f"little is left to improve: {wish.objective.name}"
        for part, values in zip(PARTS, told[1:], strict=True):
            for c in columns:
                out.loc[mine, f"{part}.{outputs[c]}"] = values[:, c]
    return out


def _by_beliefs(
    wish: Wish, P: np.ndarray, beliefs: Beliefs, X: np.ndarray, Y: np.ndarray, columns: Sequence[int],
    draws: Mapping[str, Draws],
) -> Told:  # fmt: skip
    """Return what the processes that have chosen say of points (n, d)."""
    values = np.full((3, len(P), Y.shape[1]), np.nan)
    predicted = beliefs.predict(P, columns)
    for c in columns:
        mean, deviation = _mixed(predicted[c])
        values[:, :, c] = mean, mean - NINETY * deviation, mean + NINETY * deviation
    return Told(_chance(wish, P, beliefs, X, Y, draws.get(wish.objective.name)), *values)


def _mixed(at: Normal) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (n,) of a mixture of normal distributions (n, p)."""
    mean = at.mean.mean(axis=1)
    return mean, np.sqrt((at.deviation**2 + (at.mean - mean[:, None]) ** 2).mean(axis=1))


def _chance(
    wish: Wish, P: np.ndarray, beliefs: Beliefs, X: np.ndarray, Y: np.ndarray, draws: Draws | None
) -> np.ndarray:
    """Return the chance at points (n, d), of inputs that vary the mean over the draws around them."""
    objective = wish.objective.nominal
    columns = columns_of([objective])
    counts = (wish.space.violation(X) <= NEAR) & (objective.violation(Y) == 0)
    loss = np.asarray(objective.loss(Y[counts]), float)
    best = float(np.nanmin(loss)) if np.isfinite(loss).any() else None
    if draws is None or not isinstance(wish.objective, Varied):
        return chance.of(objective, beliefs.predict(P, columns), best)
    around = draws.around(P)
    values = chance.of(objective, beliefs.predict(around.reshape(-1, P.shape[1]), columns), best)
    return np.asarray(values.reshape(around.shape[:2]).mean(axis=1))
