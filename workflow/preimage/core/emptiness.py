"""The proof that a space holds no point: by a mixed-integer linear program, or by interval arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from preimage.core.conditions import Count, Curved, Exclusion, Linear
from preimage.core.inputs import Input
from preimage.core.program import Program, program
from preimage.core.space import Space
from preimage.support import digits
from preimage.support.errors import StudyError

Part = Linear | Count | Exclusion | Input


def check_feasible(space: Space) -> None:
    """Raise StudyError where it is proven that no point satisfies the constraints; it names a smallest set of them in
    conflict. With curved constraints, a space that is not proven empty may be empty all the same."""
    if proven_empty(space):
        named = "; ".join(dict.fromkeys(map(_said, _conflict(space.straight))))
        how = "mixed-integer linear program" if space.in_pieces or space.listed.any() else "linear program"
        raise StudyError(f"constraints: no point within the bounds satisfies {named} (proved by a {how})")
    for curved, (low, high) in zip(space.curved, _ranges(space), strict=True):
        if low > curved.high or high < curved.low:
            ends = f"it is between {digits.number(low)} and {digits.number(high)}"
            where = "within the bounds" + (" and the other constraints" if space.straight.restricted else "")
            raise StudyError(
                f"constraints: no point {where} satisfies {curved}: {ends} there (proved by interval arithmetic)"
            )


def proven_empty(space: Space) -> bool:
    """Return whether a program proves that no point satisfies the constraints, the curved ones aside."""
    return len(space.conditions) > len(space.curved) and program(space, apart=False).point() is None


def _conflict(space: Space) -> list[Part]:
    """Return a smallest set of what an empty space asks that is empty by itself: none of it can be left out."""
    parts: list[Part] = [*space.constraints, *space.counts, *space.exclusions]
    parts += [i for i in space.inputs if i.gapped or (i.values and i.fixed is None)]
    for part in list(parts):
        rest = [p for p in parts if p is not part]
        if Program(_asking(space, rest), apart=False).point() is None:
            parts = rest
    return parts


def _asking(space: Space, parts: list[Part]) -> Space:
    """Return a space that asks only these parts of what a space asks."""
    kept = {p.name for p in parts if isinstance(p, Input)}
    inputs = tuple(i if i.name in kept else replace(i, zero_or=None, values=()) for i in space.inputs)
    linear, counts, exclusions = (tuple(p for p in parts if isinstance(p, kind)) for kind in (Linear, Count, Exclusion))
    return Space(inputs, linear, counts, exclusions)  # type: ignore[arg-type]


def _said(part: Part) -> str:
    if not isinstance(part, Input):
        return str(part)
    return (
        f"{part.name} is one of its values"
        if part.values
        else f"{part.name} is 0 or at least {digits.plain(part.least)}"
    )


def _ranges(space: Space) -> list[tuple[float, float]]:
    """Return between which values each curved constraint's expression stays, on the smallest box around the space."""
    named = {j for curved in space.curved for j in space.at(curved)}
    low, high = space.low.copy(), space.high.copy()
    whole = program(space)
    for j in named if space.straight.restricted else ():
        for ends, sign in ((low, 1.0), (high, -1.0)):
            cost = np.zeros(len(whole.low))
            cost[j] = sign
            found = whole.solve(cost)
            if found is not None:
                # The solver's end may be inside by its tolerance.
                end = whole.back(found)[j] - sign * 1e-6 * space.width[j]
                ends[j] = np.clip(end, space.low[j], space.high[j])
    return _values(space, space.curved, low, high)


def reach(space: Space, curved: Sequence[Curved]) -> list[tuple[float, float]]:
    """Return between which values the expression of each curved constraint stays within a space's bounds."""
    return _values(space, curved, space.low, space.high)


def _values(space: Space, rows: Sequence[Curved], low: np.ndarray, high: np.ndarray) -> list[tuple[float, float]]:
    ranges = []
    for curved in rows:
        box = ({name: side[j] for name, j in zip(curved.inputs, space.at(curved), strict=True)} for side in (low, high))
        a, b = curved.expression.bounds(*box)
        ranges.append((float(a), float(b)))
    return ranges
