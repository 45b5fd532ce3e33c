"""Rows of calibration: gradients and many starts against what people write, and synthetic epidemics.

Countries are measured where the Johns Hopkins files are under `data/covid`, or in the folder that PREIMAGE_TEST_DATA
names; the synthetic epidemics always are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.stats import f as fisher

from preimage.benchmarks.timing import against, row
from preimage.calibration import building, engine, losses, profiles, reference
from preimage.calibration.fit import Fit
from preimage.core import polytope
from preimage.core.dynamics import Known
from preimage.core.space import Input, Space
from preimage.data.series import Series
from preimage.problems.built_in import seird
from preimage.support.clock import seconds

POPULATIONS = {"Italy": 60.4e6, "Germany": 83.2e6, "Japan": 126e6, "Korea, South": 51.7e6, "Brazil": 212e6}
SPACE = Space(tuple(Input(name, *bounds) for name, bounds in seird.BOUNDS.items()))
START = np.array(list(seird.START.values()))
STARTS, PLAIN_STARTS, DATA_SETS = 100, 20, 20
# Of synthetic counts, relative.
ERROR = 3e-4


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows; the plain loop of 20 starts a country takes minutes."""
    fits = dict(countries())
    first = next(iter(fits.values()), None) or synthetic(0)[0]
    yield from gradients(first)
    yield from starts(first)
    for country, found in fits.items():
        ours = _many(found)
        yield share(country, ours)
        plain = [_plain(found, x) for x in _latin(PLAIN_STARTS, 1)]
        one = _plain(found, START)
        best = float(ours.loss.min())
        plain_name, good = f"plain loop, {PLAIN_STARTS} starts", best <= min(plain) * (1 + 1e-6)
        yield row(f"{country}: best loss of {STARTS} starts", best, min(plain), plain_name, "", "no worse", good)
        yield row(
            f"{country}: best loss", best, one, "plain single start", "", "0.4 of it in 3 of 5", best <= 0.4 * one
        )
    yield from epidemics()


def countries() -> Iterator[tuple[str, Fit]]:
    """Yield the fits of the five countries, where there is a copy of their data."""
    folder = Path(os.environ.get("PREIMAGE_TEST_DATA", "data")) / "covid"
    paths = {
        k: folder / f"time_series_covid19_{v}_global.csv" for k, v in (("cases", "confirmed"), ("deaths", "deaths"))
    }
    if not all(p.exists() for p in paths.values()):
        return
    for country, population in POPULATIONS.items():
        data = {k: str(p) for k, p in paths.items()}
        entry = {"data": data, "country": country, "population": population, "loss": "msle", "window": 20}
        yield country, building.build({"simulator": "seird"}, {**entry, "weights": "recent", "falling": "keep"})


# -- gradients and starts ----------------------------------------------------------------------------------------------


def gradients(found: Fit) -> Iterator[dict[str, Any]]:
    """Yield the time of a gradient through the solver and by central differences of solve_ivp, at equal accuracy."""
    best = _many(found)
    x = best.X[best.loss.argmin()]
    x = x + 0.05 * (0.5 * (SPACE.low + SPACE.high) - x)
    right = reference.gradient(found, x)
    for rtol, solver in ((1e-6, "Tsit5"), (1e-9, "Dopri8")):
        mine = replace(found, rtol=rtol, atol=min(rtol, 1e-6), solver=solver)

        def exact(mine: Fit = mine) -> np.ndarray:
            return mine.gradient(x[None])[1][0, 0]

        def central(rtol: float = rtol) -> np.ndarray:
            return differences(found, x, rtol)

        errors = [np.abs(g - right).max() / np.abs(right).max() for g in (exact(), central())]
        ours, peer = against(exact, central, 9)
        what = f"gradient, tolerance {rtol:g} (error {errors[0]:.0e}; peer {errors[1]:.0e})"
        yield row(what, 1000 * ours, 1000 * peer, "solve_ivp DOP853, 3-point", "ms", "60", peer / ours >= 60)


def differences(found: Fit, x: np.ndarray, rtol: float) -> np.ndarray:
    """Return central differences of the plain loss by the parameters (d,), with scipy's own step."""
    h = np.finfo(float).eps ** (1 / 3) * SPACE.width
    f = [[plain_loss(found, x + s * e, "DOP853", rtol, min(rtol, 1e-6)) for s in (-1, 1)] for e in np.diag(h)]
    return np.array([(b - a) / (2 * k) for (a, b), k in zip(f, h, strict=True)])


def starts(found: Fit) -> Iterator[dict[str, Any]]:
    """Yield the time of 100 starts at once, with and without compilation, against the plain loop's."""
    jax.clear_caches()
    jax.config.update("jax_enable_compilation_cache", False)
    cold = seconds(lambda: _many(found))
    warm = min(seconds(lambda: _many(found)) for _ in range(3))
    some = _latin(3, 2)
    peer = seconds(lambda: [_plain(found, x) for x in some]) / len(some) * STARTS
    name = "plain loop, scaled up from 3 starts"
    yield row(f"{STARTS} starts, warm", warm, peer, name, "s", "60", peer / warm >= 60)
    yield row(f"{STARTS} starts, with compilation", cold, peer, name, "s", "15", peer / cold >= 15)


def share(name: str, ends: Any) -> dict[str, Any]:
    """Return the share of starts that ended near the best."""
    near = float((ends.loss <= 1.1 * ends.loss.min() + 1e-6).mean())
    return {
        "what": f"{name}: share of {STARTS} starts near the best",
        "ours": near,
        "reach": "0.6",
        "reached": near >= 0.6,
    }


def _latin(n: int, seed: int) -> np.ndarray:
    return polytope.sample(SPACE, n, np.random.default_rng(seed), "latin_hypercube")


def _many(found: Fit) -> Any:
    return engine.search(found, SPACE, _latin(STARTS, 0), SPACE.free, 1)


def _plain(found: Fit, x0: np.ndarray) -> float:
    """Return the loss at which what people write ends: solve_ivp and L-BFGS-B, both as they come."""
    bounds = list(zip(SPACE.low, SPACE.high, strict=True))
    ended = minimize(lambda x: plain_loss(found, x), x0, method="L-BFGS-B", bounds=bounds)
    return float(found.reference(np.clip(ended.x, SPACE.low, SPACE.high)[None])[0])


def plain_loss(found: Fit, x: np.ndarray, method: str = "RK45", rtol: float = 1e-3, atol: float = 1e-6) -> float:
    """Return the loss as a user would write it: five states, solve_ivp."""
    R0, theta, k, L, Rt, recovery, onset = x
    rho, alpha, N = 1 / recovery, 1 / onset, found.series.known.population
    i0 = found.series.known.first["cases"]

    def rates(t: float, y: np.ndarray) -> list[float]:
        S, E, I, _, _ = y
        late = np.exp(min(k * np.log(max(t, 1e-300) / max(L, 1e-8)), 700))
        new = ((R0 - Rt) / (1 + late) + Rt) * rho * S * I / N
        return [-new, new - alpha * E, alpha * E - rho * I, (1 - theta) * rho * I, theta * rho * I]

    counted = found.counted
    times = found.series.times[counted]
    y = solve_ivp(rates, (0, times[-1]), [N - i0, 0, i0, 0, 0], method, t_eval=times, rtol=rtol, atol=atol).y
    modelled = np.log1p(np.maximum([y[2] + y[3] + y[4], y[4]], 0)).T
    wanted = np.log1p(found.series.values[counted])
    return float(found.weights[counted] @ ((modelled - wanted) ** 2).mean(axis=1))


# -- epidemics of known parameters -------------------------------------------------------------------------------------


def epidemics() -> Iterator[dict[str, Any]]:
    """Yield, over epidemics of random parameters, the largest best loss, how often intervals hold what they are of, and
    how often the true parameters are within the joint 95 % region of all that is determined (Bates and Watts 1988)."""
    worst, held, told, joint = 0.0, 0, 0, 0
    for seed in range(DATA_SETS):
        found, true = synthetic(seed)
        ends = _many(found)
        worst = max(worst, float(ends.loss.min()))
        result = profiles.profile(found, SPACE, ends.X[np.argsort(ends.loss)])
        rows = {r["parameter"]: r for r in profiles.findings(result, found, SPACE) if r["determined"]}
        told += len(rows)
        held += sum(rows[n]["low"] <= x <= rows[n]["high"] for n, x in zip(found.names, true, strict=True) if n in rows)
        r, left = result.determined, result.rows - result.determined
        limit = result.loss.min() * (1 + r * fisher.ppf(0.95, r, left) / left)
        joint += found.losses(true[None])[0] <= limit
    yield {
        "what": f"{DATA_SETS} synthetic epidemics: largest best loss",
        "ours": worst, "reach": "below 1e-6", "reached": worst < 1e-6,
    }  # fmt: skip
    for what, share in (
        (f"determined parameters whose true value is in its 95 % interval, of {told}", held / max(told, 1)),
        ("true parameters within the joint 95 % region of the determined directions", joint / DATA_SETS),
    ):
        yield {"what": f"of these, {what}", "ours": share, "reach": "0.9", "reached": share >= 0.9}


def synthetic(seed: int) -> tuple[Fit, np.ndarray]:
    """Return a fit to 100 days of an epidemic of random parameters well within the bounds, and these: counts with
    relative errors of 3e-4, as the loss takes them to be."""
    rng = np.random.default_rng(seed)
    low = np.array([2.5, 0.02, 1.0, 15, 0.3, 5, 5.0])
    high = np.array([5.5, 0.10, 4.0, 60, 1.0, 14, 5.8])
    true = rng.uniform(low, high)
    times = np.arange(100.0)
    known = Known({"cases": 100.0, "deaths": 0.0}, 5e7)
    blank = Series(times, np.ones((100, 2)), ("cases", "deaths"), (), {}, known)
    model = seird.build().dynamics
    weights = losses.by_age(100, 20, "recent")
    found = Fit(model, tuple(seird.BOUNDS), blank, "msle", weights, (0, 1), START)
    counts = np.expm1(np.log1p(found.curves(true[None])[0]) + ERROR * rng.standard_normal((100, 2)))
    return found.over(Series(times, counts, blank.names, (), {}, known), 20, "recent"), true
