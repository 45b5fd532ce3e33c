"""What can be said of a set of samples in a few numbers, whatever the simulator: for checks, not for methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# A normal's interquartile range in its sds.
IQR = 1.349
TINY = 1e-12


@dataclass(frozen=True)
class Scale:
    """Of the coordinates of samples, (D,) each: robust, so that no single sample sets it."""

    centre: np.ndarray
    width: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return samples (..., D) of order 1; what lies far out is drawn near, so that it doesn't outweigh the rest."""
        return np.asarray(np.arcsinh((x - self.centre) / self.width))


def scale(x: np.ndarray) -> Scale:
    """Return the scale of samples (..., D), those that are not finite left out."""
    rows = x.reshape(-1, x.shape[-1])
    rows = rows[np.isfinite(rows).all(axis=1)]
    low, centre, high = np.quantile(rows, (0.25, 0.5, 0.75), axis=0)
    width = (high - low) / IQR
    sd = rows.std(axis=0)
    return Scale(centre, np.where(width > TINY, width, np.where(sd > TINY, sd, 1.0)))


def features(x: np.ndarray, by: Scale) -> np.ndarray:
    """Return all features (sets, p) of sets of samples (sets, n, D) in one row each; NaN where a sample is."""
    return np.concatenate(list(grouped(x, by).values()), axis=1)


def grouped(x: np.ndarray, by: Scale) -> dict[str, np.ndarray]:
    """Return features (sets, p) of sets of samples (sets, n, D) by what they are about; NaN where a sample is.

    `level`: mean and log sd of each coordinate, or the sample itself where there is only one; `shape`: quantiles less
    the mean, in sds; `dependence`: correlations of coordinates.
    """
    z = by(x)
    mean = z.mean(axis=1)
    if x.shape[1] == 1:
        return {"level": mean}
    sd = np.maximum(z.std(axis=1), TINY)
    unit = (z - mean[:, None]) / sd[:, None]
    found = {
        "level": np.column_stack([mean, np.log(sd)]),
        "shape": np.quantile(unit, QUANTILES, axis=1).transpose(1, 0, 2).reshape(len(x), -1),
    }
    if x.shape[2] > 1:
        one, other = np.triu_indices(x.shape[2], 1)
        found["dependence"] = np.einsum("sni,snj->sij", unit, unit)[:, one, other] / x.shape[1]
    return found
