"""How numbers are written in a CSV file: the decimal sign, signs between thousands, and cells that would be read as
another number than the one written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preimage.support.errors import StudyError

# What may stand between thousands, by the sign that a study names: with its typographic relatives.
THOUSANDS = {",": ",", ".": ".", "'": "'\u2019", " ": " \u00a0\u2007\u2009\u202f"}
# From here on not every whole number is a float64.
DENSE = 2.0**53


class Notation(NamedTuple):
    """What a study says of how its files are written; `key` is where it may say it, "" where it can't, and `missing`
    has the texts of cells that are empty."""

    decimal: str = ""
    thousands: str = ""
    unit_row: bool | None = None
    key: str = ""
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any], key: str = "problem.table") -> Notation:
        """Return that of a study's entry. Raises StudyError where one sign is to be both."""
        signs = entry.get("decimal", ""), entry.get("thousands", "")
        said = cls(*signs, entry.get("unit_row"), key, tuple(entry.get("missing", ())))
        if said.decimal and said.decimal == said.thousands:
            raise StudyError(f"{key}: '{said.decimal}' can't be both `decimal` and `thousands`")
        return said


class Dialect(NamedTuple):
    """How a CSV file is written. In one of a single column an empty line is an empty cell; elsewhere it is nothing.

    Attributes:
        units: the unit of each column, where the row below the title states it; that row does not count as data.
        skipped: lines between the title and the first row, with that of the units.
        said: what the study says of it.
        encoding: of its text, by Python's name.
    """

    delimiter: str
    decimal: str
    single: bool
    units: tuple[str, ...] = ()
    skipped: int = 0
    said: Notation = Notation()
    encoding: str = "utf-8-sig"

    def number(self, text: str) -> bool:
        return bool(
            re.fullmatch(rf"\s*{plain(self.decimal)}\s*", text)
            or (self.said.thousands and re.fullmatch(rf"\s*{grouped(self.said.thousands, self.decimal)}\s*", text))
        )


def plain(decimal: str) -> str:
    """Return the pattern of a number without signs between thousands, as Arrow's reader takes it."""
    d = re.escape(decimal)
    return rf"[-+]?([0-9]+{d}?[0-9]*|{d}[0-9]+)([eE][-+]?[0-9]+)?"


def grouped(sign: str, decimal: str = "") -> str:
    """Return the pattern of a number with such signs between its thousands, and perhaps decimals."""
    rest = rf"({re.escape(decimal)}[0-9]*)?" if decimal else ""
    return rf"[-+]?[1-9][0-9]{{0,2}}([{THOUSANDS[sign]}][0-9]{{3}})+{rest}"


def is_number(text: str) -> bool:
    """Whether a text is a number in any notation."""
    signs = [plain(d) for d in ".,"] + [grouped(t, d) for t in THOUSANDS for d in ".," if t != d]
    return any(re.fullmatch(rf"\s*{sign}\s*", text) for sign in signs)


def decimal_sign(cells: Iterable[str], delimiter: str, said: Notation) -> str:
    """Return the decimal sign of a file, from cells of its head: as stated, or what can only be one.

    A sign followed by three digits may stand between thousands; a comma of this kind is the decimal sign only where no
    other cell has a point that must be one.
    """
    if said.decimal:
        return said.decimal
    if said.thousands in (",", "."):
        return "." if said.thousands == "," else ","
    if delimiter == ",":
        return "."
    blanks = f"[{THOUSANDS.get(said.thousands, '')} ]"
    texts = [re.sub(blanks, "", cell.strip()) if said.thousands else cell.strip() for cell in cells]
    marked = {sign: [t for t in texts if sign in t and re.fullmatch(plain(sign), t)] for sign in ".,"}
    sure = {sign: any(not re.fullmatch(grouped(sign), t) for t in found) for sign, found in marked.items()}
    return "," if sure[","] or (marked[","] and not sure["."]) else "."


def hint(text: str, dialect: Dialect) -> str:
    """Return the remedy for a text that is a number in another notation, "" where it is none."""
    for sign in THOUSANDS:
        other = "." if sign == "," else ","
        if re.fullmatch(rf"\s*({grouped(sign, other)}|{grouped(sign, '.')})\s*", text):
            if sign == dialect.said.thousands:
                return f"; its decimal sign is not '{dialect.decimal}'"
            key = dialect.said.key
            remedy = f'set `thousands: "{sign}"` under {key}' if key else "remove it"
            return f'; if "{sign}" separates thousands, {remedy}'
    other = "." if dialect.decimal == "," else ","
    if re.fullmatch(rf"\s*{plain(other)}\s*", text):
        return f"; the decimal sign of this file is '{dialect.decimal}'"
    return ""


def ungrouped(table: pa.Table, dialect: Dialect, keep: Collection[str]) -> tuple[pa.Table, dict[str, pa.ChunkedArray]]:
    """Return a table whose columns of text are numbers where each cell is one with the study's sign between
    thousands, and the texts of these columns without it; those in `keep` stay as they are."""
    number = rf"^\s*(?:{plain(dialect.decimal)}|{grouped(dialect.said.thousands, dialect.decimal)})?\s*$"
    changed = {}
    for k, field in enumerate(table.schema):
        if not pa.types.is_string(field.type) or field.name in keep:
            continue
        text = pc.utf8_trim_whitespace(pc.fill_null(table.column(k), ""))
        if not pc.all(pc.match_substring_regex(text, number)).as_py():
            continue
        text = pc.replace_substring_regex(text, f"[{THOUSANDS[dialect.said.thousands]}]", "")
        point = pc.replace_substring(text, dialect.decimal, ".")
        value = pc.if_else(pc.equal(point, ""), pa.scalar(None, pa.string()), point).cast(pa.float64())
        changed[field.name] = text
        table = table.set_column(k, field.name, value)
    return table, changed


# -- cells that would be another number --------------------------------------------------------------------------------


def doubts(
    table: pa.Table, dialect: Dialect, texts: Callable[[list[str]], pa.Table], hexadecimal: bool, ungrouped: Any
) -> dict[str, tuple[int, str]]:
    """Return, by column of numbers, the first row (from 0) whose cell can't be taken as it was read, and why.

    Args:
        texts: returns columns as text; asked for those only that may have such a cell.
        hexadecimal: whether the file has "0x" anywhere, which Arrow's reader takes for a whole number.
        ungrouped: texts of columns that were written with signs between thousands.
    """
    fractions = [f.name for f in table.schema if pa.types.is_floating(f.type) and f.name not in ungrouped]
    whole = [f.name for f in table.schema if pa.types.is_integer(f.type)] if hexadecimal else []
    values = {n: table[n].to_numpy() for n in [*fractions, *ungrouped]}
    ask = not (dialect.said.decimal or dialect.said.thousands)
    maybe = [n for n in fractions if ask and _thousandths(values[n])]
    lossy = [n for n in values if bool(((values[n] == 0) | (np.abs(values[n]) >= DENSE)).any())]
    wanted = list(dict.fromkeys([*whole, *maybe, *(n for n in lossy if n not in ungrouped)]))
    read = dict(zip(wanted, texts(wanted).columns, strict=True)) if wanted else {}
    read.update(ungrouped)
    found = {}
    for name in whole:
        found[name] = _first(pc.match_substring(read[name], "x", ignore_case=True), read[name], "expected a number")
    for name in lossy:
        found[name] = _lost(read[name], values[name], dialect.decimal)
    unsettled = [n for n in maybe if _unsettled(read[n], dialect.decimal)]
    # Where every number has the sign, the rest of the file may settle it; nobody writes 900 and 1.050 with decimals.
    mixed = [n for n in unsettled if _has_whole(read[n])]
    others = [n for n in fractions if n not in read] if len(mixed) < len(unsettled) else []
    read.update(zip(others, texts(others).columns if others else [], strict=True))
    sure = dialect.delimiter == "," or any(_settled(read[n], dialect.decimal) for n in fractions if n in read)
    for name in mixed if sure else unsettled:
        found[name] = found.get(name) or _question(read[name], dialect)
    return {name: doubt for name, doubt in found.items() if doubt}


def _first(flags: pa.ChunkedArray, texts: pa.ChunkedArray, expected: str) -> tuple[int, str] | None:
    row = pc.index(pc.fill_null(flags, False), True).as_py()
    return None if row < 0 else (row, f"found '{texts[row].as_py().strip()[:60]}', {expected}")


def _thousandths(values: np.ndarray) -> bool:
    """Whether no value can have more than three decimals."""
    scaled = values[np.abs(values) < DENSE] * 1000
    return bool((np.abs(scaled - np.rint(scaled)) <= 1e-9 * np.abs(scaled)).all())


def _marked(texts: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Return the numbers that have the sign."""
    trimmed = pc.utf8_trim_whitespace(texts)
    number = pc.match_substring_regex(trimmed, f"^{plain(decimal)}$")
    return trimmed.filter(pc.and_(number, pc.match_substring(trimmed, decimal)))


def _unsettled(texts: pa.ChunkedArray, decimal: str) -> bool:
    """Whether some numbers have the sign, and in each it may stand between thousands."""
    marked = _marked(texts, decimal)
    return bool(len(marked)) and pc.all(pc.match_substring_regex(marked, f"^{grouped(decimal)}$")).as_py()


def _settled(texts: pa.ChunkedArray, decimal: str) -> bool:
    """Whether the sign can't stand between thousands in some number."""
    return not pc.all(pc.match_substring_regex(_marked(texts, decimal), f"^{grouped(decimal)}$")).as_py()


def _has_whole(texts: pa.ChunkedArray) -> bool:
    return pc.any(pc.match_substring_regex(texts, r"^\s*[-+]?[0-9]+\s*$")).as_py()


def _question(texts: pa.ChunkedArray, dialect: Dialect) -> tuple[int, str] | None:
    sign, key = dialect.decimal, dialect.said.key
    row = pc.index(pc.fill_null(pc.match_substring(texts, sign), False), True).as_py()
    text = texts[row].as_py().strip()
    remedy = (
        f'set `thousands: "{sign}"` or `decimal: "{sign}"` under {key}'
        if key
        else f"write {text.replace(sign, '')} or {text}0"
    )
    return row, f"found '{text}', which is {text.replace(sign, '')} or {text.replace(sign, '.')}: {remedy}"


def _lost(texts: pa.ChunkedArray, values: np.ndarray, decimal: str) -> tuple[int, str] | None:
    """Return the first cell whose whole number loses digits as a float64, or that is too small for one."""
    some = pc.match_substring_regex(texts, r"^[^eE]*[1-9]").to_numpy(zero_copy_only=False)
    for row in np.flatnonzero((values == 0) & some)[:1]:
        text = texts[int(row)].as_py().strip()[:60]
        return int(row), f"found '{text}', which is too small for double precision"
    for row in np.flatnonzero(np.abs(values) >= DENSE):
        text = texts[int(row)].as_py().strip()
        literal = re.fullmatch(rf"[-+]?[0-9]+({re.escape(decimal)}0*)?", text)
        if literal and not keeps(text.split(decimal)[0], float(values[row])):
            return int(row), loses(text, float(values[row]))
    return None


def keeps(exact: str | int | Decimal, value: float) -> bool:
    """Whether a float is the number, or what prints as the number."""
    return not np.isfinite(value) or Decimal(exact) in (Decimal(value), Decimal(repr(value)))


def loses(exact: Any, value: float) -> str:
    shown = f"{value:.0f}" if abs(value) >= DENSE else repr(value)
    return (
        f"found {str(exact)[:60]}, which loses digits in double precision (it would be {shown[:60]}); "
        "round it, or subtract an offset from the column"
    )


def first_inexact(column: pa.ChunkedArray, values: np.ndarray) -> tuple[int, str] | None:
    """Return the first whole or decimal number of a column that loses digits as a float64, and the words for it."""
    decimals = pa.types.is_decimal(column.type)
    for row in np.flatnonzero(~np.isnan(values) if decimals else np.abs(values) >= DENSE).tolist():
        exact, value = column[row].as_py(), float(values[row])
        if not keeps(exact, value):
            return row, loses(exact, value)
    return None
