"""Forecasts of held-out rows, beside naive ones: a fit that can't beat the last value has no forecast to offer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from preimage.calibration import likelihoods, losses
from preimage.calibration.fit import Fit
from preimage.data.series import Series

A_WEEK = 7
Z95 = 1.96


def naive(fitted: Series, ahead: np.ndarray) -> dict[str, np.ndarray]:
    """Return forecasts (h, m) at times `ahead` (h,) after the last fitted row: its value, and its value with the mean
    change of the last week going on."""
    values = pd.DataFrame(fitted.values).ffill().bfill().to_numpy()
    last, when = values[-1], fitted.times[-1]
    first = max(0, len(fitted) - 1 - A_WEEK)
    span = when - fitted.times[first]
    slope = (last - values[first]) / span if span > 0 else 0 * last
    steps = (ahead - when)[:, None]
    return {"last value": np.repeat(last[None], len(ahead), axis=0), "last week's growth": last + slope * steps}


def noise(fit: Fit, whole: Series, best: np.ndarray, residual: float) -> np.ndarray:
    """Return the standard deviations (h, m) of the noise of each series in the rows after the fitted ones, on the
    loss's scale, at parameters (d,); NaN of counts, whose noise goes with their mean.

    Args:
        residual: standard deviation of the residuals, where the loss is no likelihood.
    """
    h = len(fit.series)
    shape = len(whole) - h, len(fit.series.names)
    if not fit.noises:
        return np.full(shape, residual)
    out, p = np.full(shape, np.nan), fit.named(best) | {key: column[h:] for key, column in whole.noise.items()}
    if not likelihoods.LIKELIHOODS[fit.loss].counts:
        wide = np.sqrt(2) if fit.loss == "laplace" else 1.0
        for k, noise in zip(fit.columns, fit.noises, strict=True):
            out[:, k] = wide * noise.at(p)
    return out


def forecast(fit: Fit, whole: Series, X: np.ndarray, best: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
    """Return the forecast of rows after the fitted ones by the best parameters (d,), and its interval: (h, m) each.

    Args:
        X: parameters (n, d) that fit within the limit of their likelihood.
        noise: standard deviations of the residuals of each series (h, m), on the loss's scale.
    """
    h = len(fit.series)
    curve = fit.curves(best[None], whole)[0][h:]
    every = fit.curves(np.concatenate([best[None], X]), whole)[:, h:]
    low, high = (losses.scaled(fit.loss, pick(every, axis=0)) for pick in (np.nanmin, np.nanmax))
    ends = losses.unscaled(fit.loss, low - Z95 * noise), losses.unscaled(fit.loss, high + Z95 * noise)
    return {"value": curve, "low": ends[0], "high": ends[1]}


def table(name: str, fit: Fit, whole: Series, found: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a forecast as rows: method, time, date, series, observed, forecast, low, high."""
    rows: list[dict[str, Any]] = []
    h = len(fit.series)
    for i in range(len(whole) - h):
        for k, series in enumerate(whole.names):
            rows.append(
                {
                    "method": name,
                    "time": whole.times[h + i],
                    "date": whole.dates[h + i] if whole.dates else "",
                    "series": series,
                    "observed": whole.values[h + i, k],
                    "forecast": found["value"][i, k],
                    **{end: found[end][i, k] if end in found else np.nan for end in ("low", "high")},
                }
            )
    return pd.DataFrame(rows)


def judged(rows: pd.DataFrame, loss: str) -> list[dict[str, Any]]:
    """Return, by method and series, the root mean squared error on the loss's scale, the error of the last row as a
    share of what was observed, and the share of rows inside their interval."""
    out = []
    for (method, series), part in rows[rows["observed"].notna()].groupby(["method", "series"], sort=False):
        observed, forecast = (part[c].to_numpy(float) for c in ("observed", "forecast"))
        error = losses.scaled(loss, forecast) - losses.scaled(loss, observed)
        has = part["low"].notna().all()
        inside = part["observed"].between(part["low"], part["high"])
        last = abs(forecast[-1] - observed[-1]) / abs(observed[-1]) if observed[-1] else float("nan")
        out.append(
            {
                "method": method,
                "series": series,
                "error": float(np.sqrt((error**2).mean())),
                "last_error": float(last) if np.isfinite(last) else None,
                "inside": float(inside.mean()) if has else None,
            }
        )
    return out
