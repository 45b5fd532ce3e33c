"""Data to reproduce: the loss is the one output of what is inverted then (see `preimage.calibration.fit`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from preimage.core.objective.base import SAME, Known
from preimage.core.objective.directions import Direction

LOSS = "loss"
# Fits count as good as the best up to this share above its loss, plus this much of a loss that has no unit.
NEAR_SHARE, NEAR_LEAST = 0.1, 1e-6
# Of likelihoods, whose loss is a deviance, up to this above it.
NEAR_DEVIANCE = 0.1
LIKELIHOODS = ("normal", "log_normal", "laplace", "poisson", "negative_binomial")
# Losses that have a unit: that of the data, squared. Those of logarithms have none.
WITH_UNIT = ("mse",)


@dataclass(frozen=True)
class Fit(Direction):
    """The smallest loss against data."""

    kind: ClassVar[str] = "fit"
    deviance: bool = False

    @classmethod
    def build(cls, name: str, spec: Mapping[str, Any], outputs: Sequence[str], known: Known) -> Self:
        """Build it from a study's entry; what the loss is, the fit itself knows."""
        unit = 0.0 if spec[cls.kind].get("loss") in WITH_UNIT else 1.0
        fixed = dict(spec.get("fixed") or {})
        deviance = spec[cls.kind].get("loss") in LIKELIHOODS
        return cls(name, (LOSS,), (0,), (1.0,), (1.0,), (0.0,), (1.0,), fixed, unit=unit, deviance=deviance)

    def as_good_as(self, best: float) -> float:
        """Return the largest loss that counts as good as the best one found."""
        return best + NEAR_DEVIANCE if self.deviance else best * (1 + NEAR_SHARE) + NEAR_LEAST * self.unit

    def equal_to(self, loss: float) -> float:
        """Return the largest loss that is equal to one but for a millionth of it."""
        return loss + SAME * max(abs(loss), self.unit)

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the objective as a person would say it."""
        return "parameters that reproduce the data"
