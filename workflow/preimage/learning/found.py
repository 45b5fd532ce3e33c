"""What a step of learning by inversion has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Found:
    """Tables by name, plain findings, and milliseconds, which differ from run to run."""

    tables: dict[str, pd.DataFrame]
    findings: dict[str, Any]
    times: dict[str, float] = field(default_factory=dict)
