"""Constraints as people write them: `a + b <= c`, `0.3 <= water / cement <= 0.6`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

# Names between backquotes may hold anything.
_PART = re.compile(r"`[^`]*`|<=|>=|==|[<>=]")
ENDS = {"<=": "at_most", ">=": "at_least", "==": "equals", "=": "equals"}
_OTHER_WAY = {"at_most": "at_least", "at_least": "at_most", "equals": "equals"}


def without_comparison(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a constraint whose expression compares as one with `at_least`, `at_most` or `equals`; others as they are.

    Raises PydanticCustomError for a comparison that is no such thing.
    """
    text = row.get("expression")
    signs = [m for m in _PART.finditer(text) if m.group()[0] != "`"] if isinstance(text, str) else []
    if not signs:
        return row
    assert isinstance(text, str)
    if stated := [key for key in _OTHER_WAY if key in row]:
        _refuse(f"found {stated[0]} and '{signs[0].group()}' in the expression, expected one of them")
    if strict := [m.group() for m in signs if m.group() not in ENDS]:
        _refuse(f"found '{strict[0]}' in the expression, expected '{strict[0]}='")
    starts = [0, *(m.end() for m in signs)]
    sides = [text[a:b].strip() for a, b in zip(starts, [*(m.start() for m in signs), len(text)], strict=True)]
    if not all(sides):
        _refuse(f"nothing stands beside a comparison in '{text}'")
    ends = [ENDS[m.group()] for m in signs]
    return {**row, **_as_ends(text, sides, ends)}


def _as_ends(text: str, sides: list[str], ends: list[str]) -> dict[str, Any]:
    """Return expression and ends of one comparison, or of two whose outer sides are numbers."""
    if len(sides) == 2:
        (left, right), (end,) = sides, ends
        if (number := _number(right)) is not None:
            return {"expression": left, end: number}
        if (number := _number(left)) is not None:
            return {"expression": right, _OTHER_WAY[end]: number}
        return {"expression": f"({left}) - ({right})", end: 0}
    low, high = _number(sides[0]), _number(sides[-1])
    if len(sides) > 3 or low is None or high is None or ends[0] != ends[1] or ends[0] == "equals":
        _refuse(f"can't read '{text}'; expected 'a <= b', or a number, an expression and a number: '1 <= a + b <= 2'")
    if ends[0] == "at_least":
        low, high = high, low
    return {"expression": sides[1], "at_least": low, "at_most": high}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _refuse(message: str) -> None:
    raise PydanticCustomError("comparison", "{said}", {"said": message})
