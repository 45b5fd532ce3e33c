"""Parameters on a scale without ends, for flows: no draw leaves the prior, and inside little is bent.

A uniform margin becomes the sum of itself and a narrow logistic variable: nothing changes but near its ends, where what
is cut off sharply turns into a smooth tail. The standard normal scale (`Prior.to_normal`) has no ends either, but bends
everywhere: samples that are parameters plus noise no longer look the same all over the prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from preimage.inference.prior import Prior

# Of the logistic variable, in widths of the prior.
KNEE = 0.03
# A uniform variable of unit sd is this wide.
WIDTH = 12**0.5
# Shares of the prior's width that parameters keep from its ends, lest they be infinitely far out.
LEAST = 1e-9


@dataclass(frozen=True)
class Unbounded:
    """The scale of a prior; values w are of mean 0 and sd 1, about, under it."""

    prior: Prior

    def values(self, theta: np.ndarray) -> np.ndarray:
        """Return values (n, d) of parameters (n, d) in the prior's support."""
        z = self.prior.to_z(theta)
        u = np.clip(z / WIDTH + 0.5, LEAST, 1 - LEAST)
        w = u + KNEE * (np.log1p(-np.exp(-u / KNEE)) - np.log1p(-np.exp((u - 1) / KNEE)))
        return np.where(self._uniform, (w - 0.5) * WIDTH, z)

    def parameters(self, w: np.ndarray) -> np.ndarray:
        """Return parameters (n, d) of any values (n, d)."""
        v = w / WIDTH + 0.5
        u = KNEE * (np.logaddexp(0, v / KNEE) - np.logaddexp(0, (v - 1) / KNEE))
        found = self.prior.from_z(np.where(self._uniform, (u - 0.5) * WIDTH, w))
        # The prior scales in single precision.
        return np.clip(found, *self._ends)

    def log_prior(self, w: np.ndarray) -> np.ndarray:
        """Return the log density (n,) of the prior at values (n, d), per unit of these."""
        v = w / WIDTH + 0.5
        # The logistic distribution function at v less that at v - 1, in logs that don't cancel.
        rising = -np.logaddexp(0, -v / KNEE) - np.logaddexp(0, (v - 1) / KNEE) + np.log1p(-np.exp(-1 / KNEE))
        normal = -(np.square(w) + np.log(2 * np.pi)) / 2
        alone = np.where(self._uniform, rising - np.log(WIDTH), normal).sum(axis=-1)
        return np.asarray(alone + self.prior.log_dependence(w))

    @cached_property
    def _uniform(self) -> np.ndarray:
        return np.array([m.kind == "uniform" for m in self.prior.margins.values()])

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        margins = self.prior.margins.values()
        low = [m.first if m.kind == "uniform" else -np.inf for m in margins]
        return np.array(low), np.array([m.second if m.kind == "uniform" else np.inf for m in margins])
