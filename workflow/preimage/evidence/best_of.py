"""r_T: the re-simulated error that is left when the first T candidates of each target are tried.

Ren, Padilla, Malof 2020, "Benchmarking deep inverse models over time, and the neural-adjoint method" (NeurIPS 33),
section 3: the mean over targets of the smallest true loss among the first T proposals. The first are those that the
model ranks first, so r_1 is what a user without a simulator would get.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

CASE = ["round", "seed", "surrogate", "objective", "inverter"]
COLUMNS = [*CASE, "T", "r", "targets"]


def best_of(candidates: pd.DataFrame) -> pd.DataFrame:
    """Return r_T of every table of targets, for T of 1, 2, 4, ... and the number of candidates that every target has.

    Args:
        candidates: the table of candidates; rows of objectives `many.0`, `many.1`, ... count, those without a truth
            don't.

    Returns:
        A row a case (`objective` is the table's name) and T: r, and how many targets it is the mean of. Targets to
        which a method has no candidate are not among them.
    """
    known = candidates["objective"].str.contains(".", regex=False) & candidates["simulated_loss"].notna()
    known &= candidates["rank"].notna()
    table = candidates.loc[known, [*CASE, "rank", "simulated_loss"]]
    if table.empty:
        return pd.DataFrame(columns=COLUMNS)
    entry = table["objective"].str.partition(".")
    table = table.assign(objective=entry[0], target=entry[2].astype(int))
    rows = []
    for case, part in table.groupby(CASE, sort=False):
        least = running_minimum(
            part["target"].to_numpy(), part["rank"].to_numpy(int), part["simulated_loss"].to_numpy()
        )
        for T in counts(least.shape[1]):
            rows.append((*case, T, float(least[:, T - 1].mean()), len(least)))
    return pd.DataFrame(rows, columns=COLUMNS)


def running_minimum(target: np.ndarray, rank: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return the smallest loss among the first T candidates by rank, (targets, T), for T up to the fewest that a target
    has."""
    order = np.lexsort((rank, target))
    _, sizes = np.unique(target[order], return_counts=True)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    index = starts[:, None] + np.arange(sizes.min())
    return np.minimum.accumulate(loss[order][index], axis=1)


def counts(most: int) -> list[int]:
    """Return 1, 2, 4, ... below `most`, and `most`."""
    return [*(2**k for k in range(most.bit_length()) if 2**k < most), most]
