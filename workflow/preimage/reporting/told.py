"""What samples tell of the parameters, in words: which directions are identified, which parameters only together, and
what is told in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preimage.inference.checks import identifiability
from preimage.inference.checks.identifiability import Direction
from preimage.reporting import words
from preimage.reporting.inference_material import Material

# What is derived from the parameters is what the samples tell of them where it is told as many times more closely.
CLOSER = 2


def sentences(m: Material, best: str) -> list[str]:
    """Return a sentence for each thing that there is to know of it, by the method `best`."""
    found = m.checks[m.seeds[0], best]["fresh"].get("directions")
    if not found:
        return []
    weak = identifiability.words(_directions(found), [words.label(p) for p in m.parameters])
    together = _together(m, best)
    who = f"On fresh problems, according to {words.label(best)}: "
    if not weak and not together:
        widest = max(d["width"] for d in found)
        which = "every direction of the parameters" if len(m.parameters) > 1 else words.label(m.parameters[0])
        return [f"{who}{which} is identified, to {100 * widest:.2g} % of the prior's width or less."]
    said = [f"{who}{words.listing(weak)}. Do not interpret these alone."] if weak else []
    if together:
        said.append(
            f"{words.listing([words.label(p) for p in together])} are identified in combination rather than "
            "separately: in the "
            "answers to the observed sets they depend on each other, and were the others known, each would be "
            f"{words.share(max(together.values()))} as wide as it is, or less. Do not interpret one without the others."
        )
    return said + _told_instead(m, best, list(together) or m.parameters)


def _directions(found: Sequence[Mapping[str, Any]]) -> list[Direction]:
    return [Direction(np.array(d["vector"]), d["width"]) for d in found]


def _together(m: Material, method: str) -> dict[str, float]:
    """Return which parameters are told together only: how wide each would be were the others known, as a share of its
    own width, in the middle of the observed sets."""
    answers = [row["directions"] for row in m.checks[m.seeds[0], method]["observed"] if row.get("directions")]
    if not answers:
        return {}
    shares = np.median([identifiability.given_others(_directions(found)) for found in answers], axis=0)
    widths = _widths(m, method, m.parameters)
    return {
        p: float(share)
        for p, share in zip(m.parameters, shares, strict=True)
        if share <= identifiability.TOGETHER and widths[p] > identifiability.TOLD
    }


def _widths(m: Material, method: str, quantities: Sequence[str]) -> dict[str, float]:
    """Return how wide answers to fresh sets are in each quantity, as a share of the prior's sd (of the true values):
    root mean square of sds."""
    table, longest = m.sets[m.seeds[0], method], max((m.sets[m.seeds[0], n] for n in m.methods), key=len)
    return {q: float(np.sqrt((table[f"sd.{q}"] ** 2).mean()) / longest[f"true.{q}"].std()) for q in quantities}


def _told_instead(m: Material, method: str, parameters: Sequence[str]) -> list[str]:
    """Return which quantities derived from the parameters are told, and how much more closely than these are."""
    widths = _widths(m, method, [*m.derived, *parameters])
    apart = words.listing([f"{words.label(p)} to {100 * widths[p]:.2g} %" for p in parameters])
    said = []
    for name in m.derived:
        width = f"to {100 * widths[name]:.2g} % of the prior's width over fresh problems"
        if CLOSER * widths[name] <= min(widths[p] for p in parameters):
            said.append(
                f"The samples identify {words.label(name)}, a function of the parameters: {width}, but {apart}."
            )
        else:
            said.append(f"{words.label(name)}, a function of the parameters, is identified {width}.")
    return said
