"""What the page of a study of inference is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from preimage.inference import verdict
from preimage.inference.checks import predictive
from preimage.inference.checks.comparison import Compared, compared

# The least p-value is not far below this (`predictive.least_p`), and above it where many of the simulated sets failed.
PREDICTIVE_P = 0.01


@dataclass(frozen=True)
class Material:
    """What the page is made of.

    Attributes:
        study: the study as checked, with its defaults.
        parameters, derived: names; `priors` of the parameters in words.
        summary, timings: the study's tables.
        checks: findings by (seed, method) (see `preimage.inference.judge`).
        sets: a row a fresh set, by (seed, method).
        trained: what training said, by (seed, method).
        observed: of each seed, what is known of the observed and the fresh sets.
        uses: what simulations are worth to methods that simulate as they infer (`preimage.inference.summary.uses`).
        figures: {file, title, caption, svg} each.
        records: of every step.
    """

    study: Mapping[str, Any]
    parameters: Sequence[str]
    derived: Sequence[str]
    priors: Mapping[str, str]
    size: int
    units: Mapping[str, str]
    summary: pd.DataFrame
    timings: pd.DataFrame
    checks: Mapping[tuple[int, str], Mapping[str, Any]]
    sets: Mapping[tuple[int, str], pd.DataFrame]
    trained: Mapping[tuple[int, str], Mapping[str, Any]]
    observed: Mapping[int, Mapping[str, Any]]
    uses: Sequence[Mapping[str, Any]]
    figures: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]]
    versions: Mapping[str, str]

    @property
    def seeds(self) -> list[int]:
        return list(self.study["seeds"])

    @property
    def methods(self) -> list[str]:
        """The methods that the study names; the others are there to say what simulations are worth."""
        return [name for name in self.study["inference"] if name not in self.study["ablations"]]

    def fresh(self, method: str) -> list[Mapping[str, Any]]:
        return [self.checks[seed, method]["fresh"] for seed in self.seeds]

    def verdict(self, method: str) -> str:
        return verdict.worst([verdict.verdict(found) for found in self.fresh(method)])

    def compared(self, measure: Callable[[pd.DataFrame], np.ndarray]) -> list[Mapping[str, Compared]]:
        """Return, of each seed, what is measured of each method on the fresh sets that it is compared on."""
        return [
            compared({name: measure(t) for name in self.study["inference"] if len(t := self.sets[seed, name])})
            for seed in self.seeds
        ]

    @property
    def silent(self) -> pd.Series:
        """Of each row of the summary: whether its predictive check could not have spoken up, as too few sets were
        left."""
        left = self.study["checks"]["predictive"] - self.summary["predictive_failed"]
        return left.map(lambda n: pd.notna(n) and predictive.least_p(int(n)) > PREDICTIVE_P)
