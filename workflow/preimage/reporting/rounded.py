"""Ends of proven intervals as text: rounded to the side on which what is said stays true."""

from __future__ import annotations

import math

MOST_DIGITS = 12


def down(value: float, digits: int | None = None) -> str:
    """Return the largest short number not above a value, with four significant digits or that many decimals."""
    return _text(*_floor(value, _decimals(value) if digits is None else digits))


def up(value: float, digits: int | None = None) -> str:
    """Return the smallest short number not below a value."""
    shown, digits = _floor(-value, _decimals(value) if digits is None else digits)
    return _text(-shown, digits)


def inside(low: float, high: float) -> tuple[str, str]:
    """Return the ends of an interval inside the one given, with as many digits as that takes."""
    if low == high:
        text = f"{low:.10g}"
        return text, text
    digits = _decimals(max(abs(low), abs(high)))
    # No more than a fifth of the width is given away.
    while digits < MOST_DIGITS and 10.0**-digits > (high - low) / 10:
        digits += 1
    return up(low, digits), down(high, digits)


def _decimals(value: float) -> int:
    return 0 if value == 0 else min(MOST_DIGITS, max(0, 3 - math.floor(math.log10(abs(value)))))


def _floor(value: float, digits: int) -> tuple[float, int]:
    step = 10.0**-digits
    shown = round(math.floor(value / step) * step, digits)
    return (shown if shown <= value else round(shown - step, digits)), digits


def _text(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
