"""How many simulations a study allows, in whole batches."""

from __future__ import annotations

from preimage.support.errors import StudyError


def batches(simulations: int, batch: int, what: str) -> int:
    """Return how many batches of `batch` single samples a study's `simulations` allow.

    Raises StudyError where they don't allow one; `what` says what a batch is.
    """
    if simulations < batch:
        raise StudyError(f"simulations: found {simulations:,}, expected at least one batch: {what}, {batch:,} samples")
    return simulations // batch
