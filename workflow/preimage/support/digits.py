"""Numbers as people read them: as many digits as it takes to tell a value from its neighbours, whatever its unit.

Four significant digits are always shown. Where it is known of which differences a reader must see, a `step`, more are:
the last digit counts no more than that. Ends of proven intervals are rounded to the side on which what is said stays
true.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

SIGNIFICANT = 4
# Powers of ten between which numbers are written out; others get an exponent, but for large ones whose last digit to
# show comes after the point, up to a length.
SMALL, LARGE, LONGEST = -4, 7, 15
# A number may be told from its neighbours at this share of the range that it is seen in.
SHARE = 1e-3
# Numbers that agree to this share are the same but for rounding: thresholds of trees may be a billionth apart.
SAME = 1e-12
# More than this a float does not hold.
MOST = 17
EXACT = Context(prec=2000)


class Units(dict[str, str]):
    """The unit of each column, and by column the smallest difference that must show."""

    def __init__(self, units: Mapping[str, str], steps: Mapping[str, float]) -> None:
        super().__init__(units)
        self.steps = dict(steps)


def step_of(units: Mapping[str, str], name: str) -> float:
    """Return the smallest difference that must show of a column; 0 where that is not known."""
    return units.steps.get(name, 0.0) if isinstance(units, Units) else 0.0


def step(*spans: float) -> float:
    """Return the smallest difference that must show of a value; 0 where nothing is known of it.

    Args:
        spans: the ranges that it is seen in, of the data, the bounds or a window, and what lies between neighbouring
            values of an input that does not take any (1 for whole numbers). The narrowest one counts.
    """
    return SHARE * min((s for s in spans if 0 < s < math.inf), default=0.0)


def number(value: float, step: float = 0.0, whole: bool = True) -> str:
    """Return a number in as few digits as tell it from others that are `step` away; all before the point if `whole`."""
    value = float(value)
    if not math.isfinite(value) or value == 0:
        return "0" if value == 0 else f"{value:g}"
    # Beside an exponent three digits will do.
    digits = SIGNIFICANT if SMALL < _size(value) < LARGE else SIGNIFICANT - 1
    return _text(value, _last(value, step, digits, whole), ROUND_HALF_EVEN)


def down(value: float, step: float = 0.0) -> str:
    """Return the largest short number that is not above a value."""
    return _exactly(value) or _text(value, _last(value, step), ROUND_FLOOR)


def up(value: float, step: float = 0.0) -> str:
    """Return the smallest short number that is not below a value."""
    return _exactly(value) or _text(value, _last(value, step), ROUND_CEILING)


def beyond(value: float, reference: float, step: float = 0.0) -> str:
    """Return a number as `number` does, but no nearer to a reference than it is: nearer it may not do any more."""
    text = number(value, step)
    shown = float(text.replace(",", ""))
    if (shown - value) * (value - reference) >= 0 or math.isclose(shown, value, rel_tol=SAME):
        return text
    return up(value, step) if value > reference else down(value, step)


def _exactly(value: float) -> str:
    """Return what no rounding can change: 0, or an infinite end; "" for others."""
    return f"{value:g}" if value == 0 or not math.isfinite(value) else ""


def inside(low: float, high: float, step: float = 0.0) -> tuple[str, str]:
    """Return the ends of an interval inside the one given, with as many digits as that takes."""
    if low == high:
        return number(low, step), number(high, step)
    # No more than a fifth of the width is given away.
    finest = min(step or math.inf, (high - low) / 10)
    last = max(_last(v, finest) for v in (low, high) if v)
    texts = tuple(_text(v, last, r) if v else "0" for v, r in ((low, ROUND_CEILING), (high, ROUND_FLOOR)))
    a, b = (float(t.replace(",", "")) for t in texts)
    return (texts[0], texts[1]) if low <= a <= b <= high else (exact(low), exact(high))


def exact(value: float) -> str:
    """Return the shortest text that reads back as a value, thousands apart."""
    value = float(value)
    text = f"{value:,}"
    return text.removesuffix(".0") if math.isfinite(value) and value else "0" if value == 0 else text


def plain(value: float, step: float = 0.0) -> str:
    """Return a number as it is written in a study: as it is, or in as few digits as tell it from others `step` away."""
    return (number(value, step) if step else exact(value)).replace(",", "")


def _size(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _last(value: float, step: float, significant: int = SIGNIFICANT, whole: bool = True) -> int:
    """Return the power of ten of the last digit to show."""
    size = _size(value)
    last = size - significant + 1
    if whole and size < LARGE:
        last = min(last, 0)
    if 0 < step < math.inf:
        last = min(last, _size(step))
    return max(last, size - MOST + 1)


def _text(value: float, last: int, rounding: str) -> str:
    """Return a number as far as the digit that counts 10**last, without the zeros at its end."""
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(last), rounding, EXACT)
    if not rounded:
        return "0"
    size = rounded.adjusted()
    if SMALL <= size < LARGE or (last <= 0 and 0 < size < LONGEST):
        return _bare(f"{rounded:,.{max(0, -last)}f}")
    return f"{_bare(format(rounded.scaleb(-size), f'.{max(0, size - last)}f'))}e{size:+03d}"


def _bare(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
