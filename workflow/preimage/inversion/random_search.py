"""Inverter `random`: points drawn uniformly over the space, the plainest method that can find something new."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from preimage.core import polytope
from preimage.inversion import Answer, Question, Report


def invert(
    question: Question, options: Mapping[str, Any], rng: np.random.Generator, state: Path | None, report: Report | None
) -> Answer:
    """Draw `evaluations` points; every one is kept."""
    n = int(options["evaluations"])
    X = polytope.sample(question.space, n, rng)
    if report:
        report(n, float(np.nanmin(question.loss(X), initial=np.inf)))
    return Answer(X, [1] * n, ["ok"] * n, [""] * n)
