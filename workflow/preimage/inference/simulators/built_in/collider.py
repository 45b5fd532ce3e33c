"""Electrons and positrons collide and give pairs of muons: the cosine c of the angle at which these fly off.

The density of c in [-1, 1] is proportional to 1 + c^2 + A c, where the asymmetry A = 2 tanh(10 (2 E - 90) / 90) G
depends on the beams' energy E ~ U(40, 50) GeV and on Fermi's constant G ~ U(0.5, 1.5) in units of its value: samples
identify A, never E and G apart. Where |A| > 2 the density would be negative near one end: it is cut there at 0 and
normalised again. (The simplified experiment of Louppe, Hermans, Cranmer 2019, "Adversarial variational optimization of
non-differentiable simulators", AISTATS 22.)
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

# Halvings of an interval of length 2: to 1e-6, below what single precision makes of a cumulative probability.
HALVINGS = 21
# Multiplied before a logarithm is taken: each is 5 at most, and hardly ever below 1e-15.
FACTORS = 20


def build() -> Simulator:
    return Simulator(
        name="collider",
        prior=Prior({"energy": Margin("uniform", 40.0, 50.0), "fermi": Margin("uniform", 0.5, 1.5)}),
        coordinates=("cos_angle",),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=encoded,
        pooled=pooled,
        derived={"A": asymmetry},
    )


def asymmetry(theta: Any, xp: Any = np) -> Any:
    """Return A (...) at parameters (..., 2)."""
    return 2 * xp.tanh(10 * (2 * theta[..., 0] - 90) / 90) * theta[..., 1]


def simulate(key: Any, theta: Any, size: int) -> Any:
    """Invert the distribution function by bisection."""
    A = asymmetry(theta.astype(jnp.float32), jnp)[..., None]
    sign, a = jnp.where(A < 0, -1.0, 1.0).astype(A.dtype), jnp.abs(A)  # the density at -A is the mirror image
    low = lowest(a, jnp)
    start, whole = integral(low, a), integral(1.0, a)
    wanted = start + jax.random.uniform(key, (*theta.shape[:-1], size), jnp.float32) * (whole - start)

    def halve(_: Any, ends: tuple[Any, Any]) -> tuple[Any, Any]:
        left, right = ends
        middle = (left + right) / 2
        above = integral(middle, a) < wanted
        return jnp.where(above, middle, left), jnp.where(above, right, middle)

    ends = (jnp.broadcast_to(low, wanted.shape), jnp.ones_like(wanted))
    left, right = jax.lax.fori_loop(0, HALVINGS, halve, ends)
    return (sign * (left + right) / 2)[..., None]


def integral(c: Any, a: Any) -> Any:
    """Return an integral of 1 + c^2 + a c."""
    return c + c**3 / 3 + a * c**2 / 2


def lowest(a: Any, xp: Any = np) -> Any:
    """Return where the density begins for a >= 0: -1, or the root of 1 + c^2 + a c in [-1, 0] where a > 2."""
    return xp.where(a > 2, (-a + xp.sqrt(xp.maximum(a * a - 4, 0))) / 2, -1.0).astype(a.dtype)


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    A = asymmetry(np.asarray(theta, dtype=float))
    a = np.abs(A)
    log_whole = np.log(integral(1.0, a) - integral(lowest(a), a))
    return sum_of_logs(x[:, 0], A) - len(x) * log_whole


def sum_of_logs(c: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Return the sum over cosines c (n,) of log(1 + c^2 + A c), for each of A (k,); minus infinity where one is not
    positive. One logarithm for every few factors: taking it is most of the work."""
    total = np.zeros(len(A))
    for some in np.split(c, range(FACTORS, len(c), FACTORS)):
        product = np.ones(len(A))
        for one in some:
            product *= np.maximum(1 + one**2 + A * one, 0)
        with np.errstate(divide="ignore"):
            total += np.log(product)
    return total


def encoded(x: Any) -> Any:
    return 1.6 * x


def pooled(x: Any) -> Any:
    """The mean, the mean square, and the share of angles below 90 degrees."""
    c = x[..., 0]
    return jnp.stack([2 * c.mean(-1), 3 * (c**2).mean(-1) - 1.3, 2 * (c > 0).mean(-1, dtype=c.dtype) - 1], axis=-1)
