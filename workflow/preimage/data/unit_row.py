"""Units in the row below a CSV file's title, as laboratory programs write them: `kg/m3;°C;%`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from preimage.data.notation import is_number

LONGEST = 24
BRACKETS = (("[", "]"), ("(", ")"), ("<", ">"))
NONE = ("", "-", "--", "–", "—", "−")
PREFIX = "(?:da|[QRYZEPTGMkhdcmunpfazyrqµμ])"
# Symbols that take prefixes, then those that don't.
SYMBOLS = (
    "m g s A K mol cd Hz N Pa J W V VA C F Ω Ω ohm Ohm S Wb T H lm lx Bq Gy Sv kat l L eV bar rad sr t cal M P Pas Da "
    "U var Wh Ah B bit St G Oe pc a"
)
ALONE = (
    "% ‰ ° °C ℃ °F °K °R degC deg grad min Min h hr hrs hour hours Std d day days Tag Tage wk week weeks yr year years "
    "sec Sek atm at Torr torr mmHg inHg mmWS psi psia psig ksi lb lbs lbf oz in inch ft yd mi mph kn gal cu cfm gpm "
    "BTU hp PS ha acre Å ppm ppb ppt ppmv ppbv ppmw wt% wt.% wt.-% wt-% vol% vol.% vol.-% mol% mol.% mol.-% mol-% at% "
    "at.% at.-% Gew% Gew.% Gew.-% Gew-% Vol% Vol.% Vol.-% Vol-% Mol% Mol.% Mol.-% Mol-% Ma% Ma.% Ma.-% M% M.-% m% w/w "
    "v/v phr rpm RPM rev cP cSt mPas dB dBm dBA Np pH HV HB HRC HRB HRA °Bx Brix NTU CFU IU OD D u amu px pcs Stk "
    "Stück count counts cts cps a.u. arb.u. € EUR $ USD £ GBP CHF ¥ JPY ct"
)
POWER = r"(?:(?:\*\*|\^)?\(?[-+−]?[0-9]{1,2}\)?|[⁺⁻]?[⁰¹²³⁴-⁹]+)"
NAMED, PREFIXED = ("|".join(map(re.escape, words.split())) for words in (ALONE, SYMBOLS))
ATOM = f"(?:{NAMED}|{PREFIX}?(?:{PREFIXED})){POWER}?"
NUMBER = r"1|10(?:\^|\*\*)?[-+−]?[0-9⁰-⁹⁻¹²³]+"
UNIT = re.compile(rf"(?:(?:{NUMBER})\s*[/·*×⋅ ]?\s*)?\(?{ATOM}(?:(?:\s*[/·*×⋅. ]\s*|(?<=[0-9²³]))\(?{ATOM}\)?)*\)?")
# What stands for a value that is not there, rather than for a unit.
MISSING = frozenset({"na", "n/a", "nan", "null", "none", "nd", "n.d.", "n.a.", "k.a.", "?", "#n/a", "missing"})


def bare(cell: str) -> str:
    """Return a unit without its brackets; "" where it is none, or a dash."""
    text = cell.strip()
    for left, right in BRACKETS:
        if text.startswith(left) and text.endswith(right):
            text = text[1:-1].strip()
    return "" if text in NONE else text


def is_unit(cell: str) -> bool:
    """Whether a cell reads as a unit, dashes and empty cells apart; one in square brackets always does."""
    text = cell.strip()
    if not bare(cell) or len(text) > LONGEST or "\n" in text or text.lower() in MISSING or is_number(bare(cell)):
        return False
    return (text[0] == "[" and text[-1] == "]") or UNIT.fullmatch(bare(cell)) is not None


def found(rows: Sequence[Sequence[str]], used: Collection[int], said: bool | None = None) -> tuple[str, ...]:
    """Return the units that the first of a file's rows holds, by column; () where it is a row like the others.

    Where a column is of numbers further down, its cell is a unit, a dash or empty, and at least one is a unit.

    Args:
        used: columns that are looked at.
        said: what the study says: with True, any texts that are no numbers are units.
    """
    if said is False or len(rows) < 2 or any(is_number(rows[0][j]) for j in used):
        return ()
    first, below = rows[0], rows[1:]
    if said:
        return tuple(map(bare, first)) if any(first[j].strip() for j in used) else ()
    cells = [first[j] for j in used if _mostly_numbers([row[j] for row in below])]
    if not any(map(is_unit, cells)) or not all(not bare(cell) or is_unit(cell) for cell in cells):
        return ()
    return tuple(bare(cell) if is_unit(cell) else "" for cell in first)


def _mostly_numbers(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and 2 * sum(map(is_number, filled)) > len(filled)
