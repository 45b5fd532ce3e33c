"""A user's own stochastic simulator, "package.module:function"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preimage.errors import StudyError
from preimage.inference.simulator import Simulator


def wrapped(name: str, spec: Mapping[str, Any]) -> Simulator:
    """Return the simulator of a user's function. Raises StudyError where it can't be used."""
    raise StudyError(f"problem.simulator '{name}': stochastic simulators of one's own are not supported yet")
