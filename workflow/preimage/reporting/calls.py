"""The calls of a study's simulator, by purpose: how many there were, and how many failed, and why."""

from __future__ import annotations

from collections import Counter
from typing import Any

from preimage.reporting import words
from preimage.reporting.material import Material
from preimage.study.calls import PURPOSES, WORDS
from preimage.support import spending

# Different reasons that are listed of a purpose.
LISTED = 3


def section(material: Material) -> dict[str, Any] | None:
    """Return what the page shows; None where no step called a simulator."""
    asked, failed = Counter[str](), dict[str, Counter[str]]()
    for record in material.records:
        if found := record.get("calls"):
            purpose = PURPOSES[record["rule"]]
            asked[purpose] += found["asked"]
            failed.setdefault(purpose, Counter()).update(found["failed"])
    if not asked:
        return None
    budget = material.study.get("budget")
    every = sum(failed.values(), Counter[str]())
    return {
        "rows": [
            {"purpose": WORDS[p], "calls": asked[p], "failed": failed[p].total(), "why": _reasons(failed[p])}
            for p in WORDS
            if asked[p]
        ],
        "calls": asked.total(),
        "failed": every.total(),
        "budget": budget["simulations"] if budget else None,
        "file": spending.FILE,
    }


def _reasons(failed: Counter[str]) -> str:
    """Return the commonest reasons, with their numbers."""
    said = [f"{message} ({n})" for message, n in failed.most_common(LISTED)]
    if len(failed) > LISTED:
        said.append(f"{len(failed) - LISTED} other reasons")
    return words.listing(said) if said else ""
