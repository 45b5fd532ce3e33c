"""Counts with a log rate: x ~ Poisson(e^theta), theta ~ U(0.2, 7)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator


def build() -> Simulator:
    return Simulator(
        name="poisson",
        prior=Prior({"log_rate": Margin("uniform", 0.2, 7.0)}),
        coordinates=("count",),
        simulate=simulate,
        log_likelihood=log_likelihood,
    )


def simulate(key: Any, theta: Any, size: int) -> Any:
    rates = jnp.broadcast_to(jnp.exp(theta), (*theta.shape[:-1], size))
    return jax.random.poisson(key, rates).astype(jnp.float32)[..., None]


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    logs = theta[:, 0]
    return x.sum() * logs - len(x) * np.exp(logs) - gammaln(x + 1).sum()
