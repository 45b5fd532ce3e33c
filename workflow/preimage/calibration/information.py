"""Which data tells which parameter, and which parameters are not told apart: the Fisher information at the best fit,
value by value.

A value's sensitivity is by how many standard deviations of its noise it moves with a parameter, scaled to its bounds.
The information is the sum of the squares of these, and its inverse the covariance of the estimates, as far as the model
is linear in between (Banga and Balsa-Canto 2008, Essays in Biochemistry 45, "Parameter estimation and optimal
experimental design"; profiles do without that: Raue et al. 2009, Bioinformatics 25). It is the expected information, in
which the noise of a likelihood is told apart from its mean. What some data tells of a parameter is what would be lost
without it, at the same best fit and the same noise.

A direction that no data tells has no information, and no finite variance. So the bounds count as one more measurement
of each parameter, as in profiles, with a standard deviation of the whole range. Beside what data tells, that is next to
nothing; and no unit matters, as the bounds have the parameter's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from preimage.calibration import likelihoods, one_by_one, priors
from preimage.calibration.fit import Fit
from preimage.core.space import Space

# A step of a derivative that is exact whatever its length.
COMPLEX_STEP = 1e-30
# What is left out, as tables name it.
LEFT_OUT = SERIES, CONDITION, BOTH, PRIORS = ("series", "condition", "both", "priors")


class Source(NamedTuple):
    """One source of information: a series (in one condition, where there are some), or the priors.

    Attributes:
        series, condition: names; empty where there is none.
        values: how many there are.
        root: the sensitivities (k, f) by the free parameters, or others whose squares sum to the same.
    """

    series: str
    condition: str
    values: int
    root: np.ndarray


def sources(fit: Fit, space: Space, x: np.ndarray, variance: float) -> list[Source]:
    """Return what the data at the best parameters (d,) tells, source by source; nothing where there is no solution.

    Args:
        variance: of the residuals of a loss that is no likelihood, which has its own noise.
    """
    modelled, slopes = _sensitivities(fit, space, x)
    if not (np.isfinite(modelled).all() and np.isfinite(slopes).all()):
        return []
    by_value = _by_value(fit, space, x, modelled, slopes, variance)
    s, rows, there = fit.series, fit.counted, fit.weight > 0
    out = []
    for c, mine in s.by_condition(rows):
        condition = "" if c is None or s.conditions is None else s.conditions.names[c]
        for k, column in enumerate(fit.columns):
            some = mine[there[mine, k]]
            if len(some):
                root = by_value[:, some, k].reshape(-1, by_value.shape[-1])
                out.append(Source(s.names[column], condition, len(some), np.asarray(np.linalg.qr(root, mode="r"))))
    if fit.priors:
        by_step = [
            priors.residuals(fit.priors, fit.named(x + 1j * COMPLEX_STEP * step), np).imag / COMPLEX_STEP
            for step in _directions(space)
        ]
        out.append(Source("", "", len(fit.priors), np.stack(by_step, axis=1)))
    return out


def correlations(names: Sequence[str], found: Sequence[Source]) -> pd.DataFrame:
    """Return the correlation of each two parameters' estimates: parameter, other, correlation. It is unknown of a
    parameter of which the data would tell less than the bounds do even if all others were known."""
    covariance, told = _covariance(found, len(names)), _told(found, len(names))
    sd = np.sqrt(np.diag(covariance))
    r = np.where(told[:, None] & told, covariance / np.outer(sd, sd), np.nan)
    first, second = np.triu_indices(len(names), 1)
    pairs = {"parameter": np.take(names, first), "other": np.take(names, second)}
    return pd.DataFrame({**pairs, "correlation": np.clip(r[first, second], -1.0, 1.0)})


def lost(names: Sequence[str], found: Sequence[Source]) -> pd.DataFrame:
    """Return what would be lost without some of the data, a row a parameter and what is left out: each series, each
    condition, each series in one condition, the priors.

    Of information on a parameter, 1 over the square of its standard error, `share_lost` is lost; that error would be
    `times_wider`. Both are unknown where the data tells nothing of the parameter.
    """
    whole, told = np.diag(_covariance(found, len(names))), _told(found, len(names))
    parts = []
    for left_out, series, condition, without in _left_out(found):
        rest = [s for k, s in enumerate(found) if k not in without]
        kept = np.minimum(whole / np.diag(_covariance(rest, len(names))), 1.0)
        parts.append(
            pd.DataFrame(
                {
                    "parameter": list(names),
                    "left_out": left_out,
                    "series": series,
                    "condition": condition,
                    "values": sum(found[k].values for k in without),
                    "share_lost": np.where(told, 1 - kept, np.nan),
                    "times_wider": np.where(told, 1 / np.sqrt(kept), np.nan),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _left_out(found: Sequence[Source]) -> list[tuple[str, str, str, list[int]]]:
    """Return what can be left out: as what, its series and condition, and which of the sources those are."""
    data = [k for k, s in enumerate(found) if s.series]
    series, conditions = (list(dict.fromkeys(getattr(found[k], of) for k in data)) for of in ("series", "condition"))
    out = [(SERIES, name, "", [k for k in data if found[k].series == name]) for name in series]
    if conditions != [""]:
        out += [(CONDITION, "", name, [k for k in data if found[k].condition == name]) for name in conditions]
        if len(series) > 1:
            out += [(BOTH, found[k].series, found[k].condition, [k]) for k in data]
    if len(data) < len(found):
        out.append((PRIORS, "", "", [k for k in range(len(found)) if k not in data]))
    return out


def _covariance(found: Sequence[Source], f: int) -> np.ndarray:
    """Return the covariance (f, f) of the scaled parameters' estimates, the bounds counted as one more measurement."""
    _, singular, axes = np.linalg.svd(np.concatenate([np.eye(f), *(s.root for s in found)]), full_matrices=False)
    return np.asarray((axes.T / singular**2) @ axes)


def _told(found: Sequence[Source], f: int) -> np.ndarray:
    """Return of which parameters (f,) the data would tell more than the bounds if all others were known."""
    return np.asarray((np.concatenate([np.zeros((1, f)), *(s.root for s in found)]) ** 2).sum(axis=0) > 1)


def _directions(space: Space) -> np.ndarray:
    """Return a step (d,) over the whole range of each free parameter (f, d)."""
    return np.diag(space.high - space.low)[space.free]


def _sensitivities(fit: Fit, space: Space, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the series that the loss takes, on its scale (n, c), and their derivatives (n, c, f) by the free scaled
    parameters: exact ones, or central differences of a model that JAX can't trace."""
    if not fit.model.traceable:
        width = np.where(space.free, space.high - space.low, 1.0)
        return one_by_one.sensitivities(fit, space.low, width, x, np.flatnonzero(space.free))
    from preimage.calibration import traced

    found = traced.sensitivities(fit.form, fit.data, x, _directions(space))
    return np.asarray(found[0]), np.asarray(found[1])


def _by_value(
    fit: Fit, space: Space, x: np.ndarray, modelled: np.ndarray, slopes: np.ndarray, variance: float
) -> np.ndarray:
    """Return the sensitivities of each value (2, n, c, f), in units of its noise: by what moves its mean, and by what
    moves its noise."""
    if not fit.noises:
        weight = fit.weight / np.sqrt(max(variance, fit.noise**2))
        return np.stack([weight[:, :, None] * slopes, np.zeros_like(slopes)])
    noise = fit.noise_by_row(x)
    steps = [fit.noise_by_row(x + 1j * COMPLEX_STEP * step).imag / COMPLEX_STEP for step in _directions(space)]
    of_noise = np.stack(steps, axis=-1) / noise[:, :, None]
    likelihood = likelihoods.LIKELIHOODS[fit.loss]
    if likelihood.counts:  # one that is expected to be 0 is not known better than the solver knows it
        modelled = np.maximum(modelled, fit.rtol * np.abs(modelled).max(axis=0) + likelihoods.LEAST)
    by_mean, by_noise = likelihood.information(modelled, noise)
    return np.stack(
        [
            np.sqrt(by_mean * fit.weight)[:, :, None] * slopes,
            np.sqrt(by_noise * fit.weight)[:, :, None] * of_noise,
        ]
    )
