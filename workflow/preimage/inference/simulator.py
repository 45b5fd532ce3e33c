"""A stochastic simulator: parameters in, sets of random samples out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from preimage.inference.prior import Prior
from preimage.support.errors import StudyError

# So many simulations that all fail are no chance, unless nearly all do.
TELLING = 100


@dataclass(frozen=True)
class Simulator:
    """What a stochastic simulator is by nature.

    Attributes:
        prior: of its parameters, d of them.
        coordinates: names of the D coordinates of one sample.
        simulate: `simulate(key, theta, size)` returns samples (..., size, D) in float32 for parameters (..., d) and a
            JAX key; JAX can trace it, with `size` a plain number. A sample that failed is NaN.
        log_likelihood: `log_likelihood(x, theta)` returns log p(x | theta), (k,), for one set of samples (n, D) and
            parameters (k, d), in NumPy's double precision; None where it is not known.
        encoded: what a network sees of each sample, (..., D) to (..., q), of order 1; the sample itself where None.
        pooled: statistics of a whole set, (..., n, D) to (..., p), of order 1; none where None.
        derived: functions of the parameters, (..., d) to (...), that the samples identify where they don't identify
            the parameters themselves.
        version: digest of what it is made of: its code, and its way through time. Weights are of one version.
        complaint: returns what a user's function raised last.
    """

    name: str
    prior: Prior
    coordinates: tuple[str, ...]
    simulate: Callable[[Any, Any, int], Any]
    log_likelihood: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    encoded: Callable[[Any], Any] | None = None
    pooled: Callable[[Any], Any] | None = None
    derived: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    version: str = ""
    complaint: Callable[[], str] = lambda: ""

    def draw(self, rng: np.random.Generator, theta: np.ndarray, size: int) -> np.ndarray:
        """Return samples (..., size, D) as a NumPy array in double precision, for parameters (..., d).

        Raises StudyError where a simulator of a user's own can't be used (see `preimage.inference.simulators.user`).
        """
        import jax

        from preimage.inference.callback import told_plainly

        key = jax.random.key(int(rng.integers(2**32)))
        with told_plainly():
            found = self._compiled(key, np.asarray(theta, dtype=np.float32), size)
            return np.asarray(found, dtype=float)

    def refuse_if_broken(self, x: Any) -> None:
        """Raise StudyError where sets (k, size, D), simulated at parameters drawn from the prior, have not one sample
        that did not fail, and are enough to tell that it is the simulator's fault."""
        if len(x) >= TELLING and not np.isfinite(x).all(axis=-1).any():
            why = self.complaint()
            raise StudyError(
                f"simulator '{self.name}': each of {len(x)} simulations at parameters drawn from the prior failed"
                + (f"; it raised {why}" if why else " (no finite number)")
            )

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        import jax

        return jax.jit(self.simulate, static_argnums=2)
