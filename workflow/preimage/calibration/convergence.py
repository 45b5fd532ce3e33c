"""Have chains of draws converged, and how many independent draws are they worth? Rank-normalised split R-hat and
effective sample size (Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, Bayesian Analysis 16:667)."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata


def r_hat(draws: np.ndarray) -> float:
    """Return the larger of the R-hats of location and of spread, of one quantity's draws (chains, draws)."""
    split = _split(draws)
    return max(_ratio(_normal(split)), _ratio(_normal(np.abs(split - np.median(split)))))


def effective(draws: np.ndarray) -> float:
    """Return the effective sample size for the bulk of one quantity's draws (chains, draws)."""
    z = _normal(_split(draws))
    chains, n = z.shape
    covariance = np.mean([_autocovariance(chain) for chain in z], axis=0)
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + z.mean(axis=1).var(ddof=1)
    if not total > 0:
        return float("nan")
    correlation = 1 - (within - covariance * n / (n - 1)) / total
    correlation[0] = 1.0
    # Geyer 1992: sums of neighbours, as long as they are positive, and never rising.
    pairs = correlation[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    positive = pairs[: int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)]
    time = 2 * np.minimum.accumulate(positive).sum() - 1
    return float(chains * n / max(time, 1 / np.log10(chains * n)))


def _split(draws: np.ndarray) -> np.ndarray:
    """Return every chain as two."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _normal(draws: np.ndarray) -> np.ndarray:
    """Return draws replaced by normal quantiles of their ranks (Blom 1958)."""
    ranks = rankdata(draws).reshape(draws.shape)
    return np.asarray(norm.ppf((ranks - 0.375) / (draws.size + 0.25)))


def _ratio(z: np.ndarray) -> float:
    n = z.shape[1]
    within, between = z.var(axis=1, ddof=1).mean(), z.mean(axis=1).var(ddof=1)
    return float(np.sqrt((n - 1) / n + between / within)) if within > 0 else float("nan")


def _autocovariance(chain: np.ndarray) -> np.ndarray:
    n = len(chain)
    spectrum = np.fft.rfft(chain - chain.mean(), 2 * n)
    return np.asarray(np.fft.irfft(np.abs(spectrum) ** 2)[:n] / n)
