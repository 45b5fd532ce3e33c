"""What there is to find out on a line: truncation, ways to the minimum, the cost of derivatives, and noise.

Everything is a table; nothing but `times` depends on the machine.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from preimage.learning import recursion
from preimage.learning.found import Found
from preimage.learning.recursion import ALPHA, BETA, ITERATIONS, LATENTS, PREDICTION_STEPS, SLOPES
from preimage.problems.built_in.linear_latent import INTERCEPT, LATENT, SLOPE, observed
from preimage.support.clock import seconds
from preimage.support.jax_setup import enable_double
from preimage.surrogates.latent import decoders, inner, optimisers, training

LINE = decoders.Linear(1, 1)
# Outer optimisers: starts, the error that counts as there, the most iterations, and the step widths that are tried.
STARTS, THERE, MOST = 20, 1e-3, 2500
WIDTHS = {
    "gradient_descent": (0.005, 0.01, 0.02, 0.05, 0.1),
    "momentum": (0.0005, 0.001, 0.002, 0.005, 0.01),
    "adam": (0.01, 0.02, 0.05, 0.1, 0.2),
    "lbfgs": (1.0,),
}
# Costs: a network from LATENT_SIZE to OBSERVED_SIZE on ROWS rows.
INNER_STEPS = (10, 50, 200, 1000)
LATENT_SIZE, OBSERVED_SIZE, HIDDEN, ROWS = 4, 16, (32,), 64
# Noise: deviations, drawn data sets of each, and rows of one.
DEVIATIONS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
DATA_SETS = 100


def judge(rng: np.random.Generator) -> Found:
    """Return all there is to say of the line; its random numbers are starts and noise."""
    enable_double()
    prediction, noise, starts = rng.spawn(3)
    ways, courses = truncation(float(starts.uniform(*SLOPES)))
    costs, times = cost(rng.spawn(1)[0])
    tables = {
        "prediction": one_prediction(prediction),
        "ways": ways,
        "courses": courses,
        "optimisers": outer_optimisers(starts),
        "cost": costs,
        "noise": noisy(noise),
    }
    return Found(tables, {"gradients": gradients_agree()}, times)


def one_prediction(rng: np.random.Generator) -> pd.DataFrame:
    """Return the way from a random y to the one that x = 0 was made from: step, y, loss."""
    how = inner.Inner("gradient_descent", ALPHA, PREDICTION_STEPS)
    y, loss = inner.path(LINE, how, _line(SLOPE, INTERCEPT), jnp.zeros(1), jnp.array([rng.uniform(*LATENT)]))
    return pd.DataFrame({"step": range(len(y)), "y": np.asarray(y)[:, 0], "loss": np.asarray(loss)})


# -- training ----------------------------------------------------------------------------------------------------------


def truncation(a: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return where each way of training ends from (a, 0), beside where it should by the closed form; and its course."""
    n = PREDICTION_STEPS
    exact = inner.Inner("gradient_descent", ALPHA, 200)
    ways: list[tuple[str, recursion.Course, tuple[float, float]]] = [
        (f"{n} steps, derivative of 10", recursion.training(a), recursion.fixed_point(n)),
        (f"{n} steps, derivative of {n}", recursion.training(a, derivative=n), recursion.fixed_point(n)),
        ("10 steps, derivative of 10", recursion.training(a, prediction=10), recursion.fixed_point(10)),
        ("to the end, implicit derivative", descent(a, exact), (SLOPE, INTERCEPT)),
    ]
    ends = [
        {
            "way": way,
            "a": c.a[-1],
            "b": c.b[-1],
            "loss": c.loss[-1],
            "expected_a": expected[0],
            "expected_b": expected[1],
            "error": max(abs(c.a[-1] - SLOPE), abs(c.b[-1] - INTERCEPT)),
        }
        for way, c, expected in ways
    ]
    seen = np.unique(np.geomspace(1, ITERATIONS + 1, 200).astype(int)) - 1
    courses = [
        pd.DataFrame({"way": way, "iteration": seen, "a": c.a[seen], "b": c.b[seen], "loss": c.loss[seen]})
        for way, c, _ in ways
    ]
    return pd.DataFrame(ends), pd.concat(courses, ignore_index=True)


def descent(a: float, how: inner.Inner, iterations: int = ITERATIONS) -> recursion.Course:
    """Return the course of the same descent with the derivatives that `how` says."""
    p, losses = jax.jit(partial(_descended, how, iterations))(jnp.array([a, 0.0]))
    return recursion.Course(np.asarray(p)[:, 0], np.asarray(p)[:, 1], np.asarray(losses))


def _descended(how: inner.Inner, iterations: int, flat: Any) -> tuple[Any, Any]:
    optimiser = optimisers.named("gradient_descent", BETA)
    last, path, losses = optimisers.run(optimiser, partial(_sum, how), flat, iterations)
    return jnp.concatenate([path, last[None]]), jnp.concatenate([losses, _sum(how, last)[None]])


def _sum(how: inner.Inner, flat: Any) -> Any:
    """Return the sum of (y - h(x))^2 over the pairs at (a, b)."""
    p = _line(flat[0], flat[1])
    found = jax.vmap(lambda x: inner.solve(LINE, how, p, x))(jnp.asarray(observed(LATENTS))[:, None])
    return ((jnp.asarray(LATENTS) - found[:, 0]) ** 2).sum()


def _line(a: Any, b: Any) -> dict[str, Any]:
    return {"slope": jnp.reshape(jnp.asarray(a, float), (1, 1)), "intercept": jnp.reshape(jnp.asarray(b, float), (1,))}


def outer_optimisers(rng: np.random.Generator) -> pd.DataFrame:
    """Return, by outer optimiser and step width, the median and largest number of iterations to within THERE of both
    parameters over random starts; none where not all came there."""
    how = inner.Inner("gradient_descent", ALPHA, 60)
    begin = np.column_stack([rng.uniform(*SLOPES, STARTS), np.zeros(STARTS)])
    rows = []
    for method, widths in WIDTHS.items():
        for width in widths:
            needed = iterations_needed(method, width, how, begin)
            there = bool((needed >= 0).all())
            rows.append(
                {
                    "method": method,
                    "width": width,
                    "iterations": float(np.median(needed)) if there else np.nan,
                    "most": float(needed.max()) if there else np.nan,
                    "arrived": int((needed >= 0).sum()),
                    "starts": STARTS,
                }
            )
    return pd.DataFrame(rows)


def iterations_needed(method: str, width: float, how: inner.Inner, begin: np.ndarray) -> np.ndarray:
    """Return after how many iterations each start (n, 2) is within THERE of the truth for good (n,), -1 for never."""
    optimiser = optimisers.named(method, width)
    most = MOST if method != "lbfgs" else 100
    paths = jax.jit(jax.vmap(lambda p: optimisers.run(optimiser, partial(_sum, how), p, most)[1]))(begin)
    error = np.abs(np.asarray(paths) - [SLOPE, INTERCEPT]).max(axis=2)
    away = ~(error <= THERE)
    last = most - 1 - away[:, ::-1].argmax(axis=1)  # the last iteration that is away
    return np.where(away[:, -1], -1, np.where(away.any(axis=1), last + 1, 0))


def gradients_agree(a: float = 1.8, b: float = -3.0) -> list[dict[str, Any]]:
    """Return the outer loss's derivatives at (a, b) by each way, with the same 20 steps where steps count."""
    n, h = PREDICTION_STEPS, 1e-5
    x, at = observed(LATENTS), jnp.array([a, b])
    g, A, B = recursion.predicted(a, b, x, n)
    by_hand = 2 * np.array([(g - LATENTS) @ A, (g - LATENTS) @ B])
    steps = inner.Inner("gradient_descent", ALPHA, n, recursion.START, gradient="unrolled")
    far = inner.Inner("gradient_descent", ALPHA, 400, recursion.START, gradient="unrolled")
    loss = jax.jit(partial(_sum, steps))
    differences = [float(loss(at + h * e) - loss(at - h * e)) / (2 * h) for e in jnp.eye(2)]
    ways: dict[str, Any] = {
        f"recursion by hand, {n} steps": by_hand,
        f"unrolled, {n} steps": jax.grad(loss)(at),
        f"central differences, {n} steps": differences,
        "unrolled, 400 steps": jax.grad(partial(_sum, far))(at),
        "implicit, after 400 steps": jax.grad(partial(_sum, replace(far, gradient="implicit")))(at),
    }
    return [{"way": way, "by_a": float(v[0]), "by_b": float(v[1])} for way, v in ways.items()]


# -- cost --------------------------------------------------------------------------------------------------------------


def cost(rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the working memory of one gradient of the outer loss, by inner steps and way, and its milliseconds.

    Memory is what the compiled program asks for, beside its inputs and outputs.
    """
    f = decoders.Network(LATENT_SIZE, OBSERVED_SIZE, HIDDEN)
    p = jax.tree.map(jnp.asarray, f.initial(rng))
    Y = jnp.asarray(rng.normal(size=(ROWS, LATENT_SIZE)))
    X, weights = jax.vmap(partial(f, p))(Y), jnp.ones(ROWS)
    rows, times = [], {}
    for steps in INNER_STEPS:
        for gradient in inner.GRADIENTS:
            how = inner.Inner("gradient_descent", 0.05, steps, gradient=gradient)
            program = jax.jit(jax.grad(partial(training.latent_loss, f, how))).lower(p, X, Y, weights).compile()
            analysis: Any = program.memory_analysis()
            rows.append({"gradient": gradient, "steps": steps, "megabytes": analysis.temp_size_in_bytes / 1e6})
            times[f"{gradient}.{steps}"] = _milliseconds(partial(program, p, X, Y, weights))
    return pd.DataFrame(rows), times


def _milliseconds(call: Callable[[], Any]) -> float:
    jax.block_until_ready(call())
    return 1000 * statistics.median(seconds(lambda: jax.block_until_ready(call())) for _ in range(5))


# -- noise -------------------------------------------------------------------------------------------------------------


def noisy(rng: np.random.Generator) -> pd.DataFrame:
    """Return what noise in the training pairs does to each way of finding the line.

    Columns: `on` (what is noisy: x or y), `deviation`, `way`, bias and spread of a and b over data sets, and `floor`,
    the mean smallest value of the way's own loss a pair.
    """
    noise = np.array(DEVIATIONS)[:, None, None] * rng.normal(size=(DATA_SETS, len(LATENTS)))
    # Noise on x, then on y: (2, deviations, data sets, pairs).
    X, Y = observed(LATENTS) + np.array([noise, 0 * noise]), LATENTS + np.array([0 * noise, noise])
    flat = X.reshape(-1, len(LATENTS)), Y.reshape(-1, len(LATENTS))
    rows = []
    for way, (found, floor) in (
        ("inversion", by_inversion(*flat)),
        ("least squares of x on y", regressed(flat[1], flat[0])),
    ):
        errors = (found - [SLOPE, INTERCEPT]).reshape(*X.shape[:3], 2)
        floors = floor.reshape(X.shape[:3]).mean(axis=2)
        # A line that is nearly level has a slope near 0 or any inverse of it: medians and quartiles stay put.
        low, middle, high = np.quantile(errors, [0.25, 0.5, 0.75], axis=2)
        rows += [
            {
                "on": on,
                "deviation": deviation,
                "way": way,
                **{f"bias_{n}": middle[i, j, k] for k, n in enumerate("ab")},
                **{f"spread_{n}": (high - low)[i, j, k] for k, n in enumerate("ab")},
                "floor": floors[i, j],
            }
            for i, on in enumerate("xy")
            for j, deviation in enumerate(DEVIATIONS)
        ]
    return pd.DataFrame(rows)


def by_inversion(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines (m, 2) that m data sets (m, n) give when trained by inversion, and their losses a pair (m,)."""
    how = inner.Inner("lbfgs", steps=3)  # two steps of L-BFGS solve a parabola
    # From the plain regression, as surrogates begin: from afar a slope may jump over 0 and not find back.
    slope, intercept = regressed(Y, X)[0].T
    begin = {"slope": jnp.asarray(slope)[:, None, None], "intercept": jnp.asarray(intercept)[:, None]}
    data = tuple(jnp.asarray(A)[:, :, None] for A in (X, Y))

    def loss(p: Any, pairs: Any) -> Any:
        x, y = pairs
        return training.latent_loss(LINE, how, p, x, y, jnp.ones(X.shape[1]))

    found, losses = training.minimise(loss, begin, data, training.Outer("lbfgs", 30))
    return np.column_stack([found["slope"].ravel(), found["intercept"].ravel()]), losses[:, -1]


def regressed(inputs: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines (m, 2), outputs over inputs, of least squares, and their mean squared residuals (m,)."""
    u, v = (A - A.mean(axis=1, keepdims=True) for A in (inputs, outputs))
    slope = (u * v).sum(axis=1) / (u * u).sum(axis=1)
    intercept = outputs.mean(axis=1) - slope * inputs.mean(axis=1)
    residual = outputs - slope[:, None] * inputs - intercept[:, None]
    return np.column_stack([slope, intercept]), (residual**2).mean(axis=1)
