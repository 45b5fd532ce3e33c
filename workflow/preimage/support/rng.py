"""One random generator a step, from the study's seed and the step's name: no global state, no order of execution."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def generator(seed: int, step: str) -> np.random.Generator:
    """Return the generator of `step` under `seed`: the same bytes wherever and whenever the step runs."""
    import numpy as np

    digest = hashlib.sha256(step.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
