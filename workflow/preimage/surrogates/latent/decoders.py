"""What a latent value is seen as: decoders f(y; parameters), one point at a time, for JAX.

A decoder is any object with `latent` and `observed` dimensions that can be called with (parameters, y (K,)) to give
the observation (D,), and compares equal to others of its form.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from preimage.surrogates.kinds.latent import Latent

Parameters = dict[str, Any]


class Decoder(Protocol):
    """A differentiable f(y; parameters)."""

    @property
    def latent(self) -> int: ...

    @property
    def observed(self) -> int: ...

    def __call__(self, p: Parameters, y: Any) -> Any: ...

    def initial(self, rng: np.random.Generator) -> Parameters:
        """Return parameters to begin with."""


@dataclass(frozen=True)
class Linear:
    """x = A y + b."""

    latent: int
    observed: int

    def __call__(self, p: Parameters, y: Any) -> Any:
        return p["slope"] @ y + p["intercept"]

    def initial(self, rng: np.random.Generator) -> Parameters:
        """Return slopes near those of x = y: a slope of the wrong sign can't be reached by way of 0, where nothing can
        be inverted."""
        slope = np.eye(self.observed, self.latent) * rng.uniform(0.75, 1.75, (self.observed, self.latent))
        return {"slope": slope, "intercept": np.zeros(self.observed)}


@dataclass(frozen=True)
class Network:
    """A dense network with tanh in its hidden layers, beside a linear map."""

    latent: int
    observed: int
    layers: tuple[int, ...]

    def __call__(self, p: Parameters, y: Any) -> Any:
        import jax.numpy as jnp

        z = y
        for k in range(len(self.layers)):
            z = jnp.tanh(p[f"weights{k}"] @ z + p[f"bias{k}"])
        return p["slope"] @ y + p["intercept"] + p["out"] @ z

    def initial(self, rng: np.random.Generator) -> Parameters:
        """Return Glorot's weights (Glorot and Bengio 2010), with little of the network in the sum at first."""
        p = Linear(self.latent, self.observed).initial(rng)
        widths = (self.latent, *self.layers)
        for k, (before, after) in enumerate(pairwise(widths)):
            p[f"weights{k}"] = rng.normal(0, np.sqrt(2 / (before + after)), (after, before))
            p[f"bias{k}"] = rng.normal(0, 0.5, after)
        p["out"] = 0.1 * rng.normal(0, np.sqrt(2 / (widths[-1] + self.observed)), (self.observed, widths[-1]))
        return p


def named(options: Latent, latent: int, observed: int) -> Decoder:
    """Return the decoder of a study's entry in these dimensions."""
    if options.decoder == "linear":
        return Linear(latent, observed)
    return Network(latent, observed, tuple(options.layers))
