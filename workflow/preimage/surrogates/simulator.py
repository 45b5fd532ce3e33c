"""The simulator in a surrogate's place: inversion without a model between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from preimage.problems import loading


@dataclass(frozen=True)
class Simulator:
    problem: loading.Problem

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.problem.simulate(X)

    def spread(self, X: np.ndarray) -> np.ndarray:
        return np.zeros((len(X), len(self.problem.outputs)))


def load(spec: Mapping[str, Any]) -> Simulator:
    """Return the simulator of a study's `problem` entry, which must have one."""
    found = loading.load(spec)
    assert found is not None, "a study without a simulator has no case on it"
    return Simulator(found)
