"""Conditional flow matching: a network moves standard normal draws into those of a distribution given features.

Lipman et al., "Flow matching for generative modeling" (ICLR 2023), on the straight path x_t = (1 - t) x_0 + t x_1; for
posteriors, Wildberger et al., "Flow matching for scalable simulation-based inference" (NeurIPS 2023). The velocity is
what it would be if the target were standard normal too, plus a network scaled by the spread of x_t (as Karras et al.,
"Elucidating the design space of diffusion-based generative models", NeurIPS 2022, scale theirs): an untrained network
leaves draws as they are.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from preimage.inference.methods import dense
from preimage.inference.methods.training import Weights

# Sines and cosines that tell the network the time.
FREQUENCIES = 4
STEPS = 16
# Times at which the network is judged on each target that was held out.
TIMES_HELD = 32


class Flow(NamedTuple):
    """Of d values given c features: `blocks` residual blocks of two layers, `width` wide."""

    d: int
    c: int
    width: int = 128
    blocks: int = 2

    def init(self, key: Any) -> Weights:
        first, last, *inner = jax.random.split(key, 2 + self.blocks)
        return {
            "in": dense.layer(first, self.d + self.c + 2 * FREQUENCIES, self.width),
            "blocks": [dense.layers(k, [self.width] * 3) for k in inner],
            "out": dense.layer(last, self.width, self.d, 0.01),
            "begin": jnp.zeros(()),
        }

    def velocity(self, weights: Weights, x: Any, t: Any, h: Any) -> Any:
        """Return the velocity (..., d) at values x (..., d) and times t (..., 1), given features h (..., c)."""
        spread = _spread(t)
        angles = jnp.pi * t * 2.0 ** jnp.arange(FREQUENCIES, dtype=jnp.float32)
        y = dense.apply(weights["in"], jnp.concatenate([x / spread, h, jnp.sin(angles), jnp.cos(angles)], axis=-1))
        for one, other in weights["blocks"]:
            y = y + dense.apply(other, jax.nn.silu(dense.apply(one, jax.nn.silu(y))))
        return _normal(x, t) + dense.apply(weights["out"], jax.nn.silu(y)) / spread

    def loss(self, weights: Weights, target: Any, h: Any, key: Any) -> Any:
        """Return the mean squared error of velocities on the way to targets (B, d), on the scale of the network."""
        x, t, wanted = _on_the_way(target, key)
        missed = self.velocity(weights, x, t, h) - wanted
        return (_spread(t) ** 2 * missed**2).mean()

    def shrunk(self, weights: Weights, target: Any, h: Any, key: Any) -> Weights:
        """Return the weights with the network's part of each velocity scaled by what it is worth on targets (B, d) it
        was not trained on: the factor in [0, 1] of least squares (as in Copas 1983, "Regression, prediction and
        shrinkage", J. R. Stat. Soc. B 45). 0 leaves the standard normal: a network that learned noise does no harm."""
        share = _worth(self, weights, target, h, key)
        return {**weights, "out": jax.tree.map(lambda a: a * share, weights["out"])}

    def widened(self, weights: Weights, target: Any, h: Any) -> Weights:
        """Return the weights with another sd of where draws begin than the 1 of training: that of targets (B, d) it was
        not trained on, moved back to the beginning, the most likely one. A network that is too sure of what it learned
        by heart leaves these farther out than 1, and draws too narrow."""
        back = _moved_back(self, weights, target, h)
        return {**weights, "begin": 0.5 * jnp.log((back**2).mean())}

    def draw(self, weights: Weights, key: Any, h: Any) -> Any:
        """Return a draw (m, d) for each row of features (m, c)."""
        return _drawn(self, weights, key, h)

    def log_density(self, weights: Weights, x: Any, h: Any) -> Any:
        """Return the log density (m,) at values (m, d), given features (m, c)."""
        return _density(self, weights, x, h)


def _spread(t: Any) -> Any:
    """Return the sd of x_t where targets are standard normal."""
    return jnp.sqrt((1 - t) ** 2 + t**2)


def _normal(x: Any, t: Any) -> Any:
    """Return the velocity where targets are standard normal."""
    return (2 * t - 1) / _spread(t) ** 2 * x


def _on_the_way(target: Any, key: Any) -> tuple[Any, Any, Any]:
    """Return points (B, d) on the way to targets, their times (B, 1), and the velocities wanted there."""
    one, other = jax.random.split(key)
    t = jax.random.uniform(one, (len(target), 1))
    noise = jax.random.normal(other, target.shape)
    return (1 - t) * noise + t * target, t, target - noise


def _times(steps: int) -> Any:
    """Return when steps begin and end: denser towards the end, where draws settle."""
    return (1 - (1 - jnp.linspace(0, 1, steps + 1)) ** 2).astype(jnp.float32)


def _runge_kutta(f: Any, y: Any, a: Any, b: Any) -> Any:
    """Return y after one classical step of fourth order from time a to b; y is a tree of arrays."""
    step = b - a

    def ahead(slope: Any, by: Any) -> Any:
        return jax.tree.map(lambda v, s: v + by * s, y, slope)

    one = f(y, a)
    two = f(ahead(one, step / 2), a + step / 2)
    three = f(ahead(two, step / 2), a + step / 2)
    four = f(ahead(three, step), b)
    return jax.tree.map(lambda v, p, q, r, s: v + step / 6 * (p + 2 * q + 2 * r + s), y, one, two, three, four)


@partial(jax.jit, static_argnums=0)
def _worth(flow: Flow, weights: Weights, target: Any, h: Any, key: Any) -> Any:
    def sums(total: Any, key: Any) -> tuple[Any, None]:
        x, t, wanted = _on_the_way(target, key)
        ours, theirs = flow.velocity(weights, x, t, h) - _normal(x, t), wanted - _normal(x, t)
        weight = _spread(t) ** 2
        return total + jnp.stack([(weight * ours * theirs).sum(0), (weight * ours**2).sum(0)]), None

    start = jnp.zeros((2, flow.d), jnp.float32)
    (both, own), _ = jax.lax.scan(sums, start, jax.random.split(key, TIMES_HELD))
    return jnp.clip(both / jnp.maximum(own, 1e-12), 0, 1)


@partial(jax.jit, static_argnums=0)
def _drawn(flow: Flow, weights: Weights, key: Any, h: Any) -> Any:
    def slope(x: Any, t: Any) -> Any:
        return flow.velocity(weights, x, jnp.full((len(h), 1), t), h)

    times = _times(STEPS)
    start = jnp.exp(weights["begin"]) * jax.random.normal(key, (len(h), flow.d), jnp.float32)
    ends = jnp.stack([times[:-1], times[1:]], axis=1)
    return jax.lax.scan(lambda x, e: (_runge_kutta(slope, x, e[0], e[1]), None), start, ends)[0]


@partial(jax.jit, static_argnums=0)
def _density(flow: Flow, weights: Weights, x: Any, h: Any) -> Any:
    def one(x: Any, h: Any, t: Any) -> tuple[Any, Any]:
        def at(v: Any) -> Any:
            return flow.velocity(weights, v, jnp.full((1,), t), h)

        return at(x), jnp.trace(jax.jacfwd(at)(x))

    def slope(state: tuple[Any, Any], t: Any) -> tuple[Any, Any]:
        return jax.vmap(one, (0, 0, None))(state[0], h, t)

    times = _times(STEPS)[::-1]
    start = (x, jnp.zeros(len(x), jnp.float32))
    ends = jnp.stack([times[:-1], times[1:]], axis=1)
    back, grown = jax.lax.scan(lambda s, e: (_runge_kutta(slope, s, e[0], e[1]), None), start, ends)[0]
    return jax.scipy.stats.norm.logpdf(back, scale=jnp.exp(weights["begin"])).sum(axis=-1) + grown


@partial(jax.jit, static_argnums=0)
def _moved_back(flow: Flow, weights: Weights, x: Any, h: Any) -> Any:
    """Return where draws (m, d) began."""

    def slope(x: Any, t: Any) -> Any:
        return flow.velocity(weights, x, jnp.full((len(h), 1), t), h)

    times = _times(STEPS)[::-1]
    ends = jnp.stack([times[:-1], times[1:]], axis=1)
    return jax.lax.scan(lambda x, e: (_runge_kutta(slope, x, e[0], e[1]), None), x, ends)[0]
