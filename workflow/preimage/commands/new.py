"""`preimage new my.csv`: a commented study of a table, from a look at its columns; of a PEtab problem, its study."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preimage.data.source import Source
from preimage.data.sources import read_file
from preimage.data.tables import FEWEST_ROWS
from preimage.data.unit_row import bare
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.files import replacing

# Texts of a column that is taken as a category: so many values at most, each on so many rows on average.
MOST_CATEGORIES, ROWS_PER_CATEGORY = 20, 3
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORDS = ("true", "false", "null", "yes", "no", "on", "off")
HEAD = """\
# A study of {file}, written by `preimage new` from a look at its columns. It runs as it is:
#   preimage run {path}
# Every key is described in the project's config/README.md.
study: {name}
problem:
  table:
    file: {file}
    # What you measure, and want at a certain value. {choice}
    outputs: [{outputs}]
"""
REST = """\
  # Candidates meet these; rows of the table need not. For example:
  # constraints:
  #   - {{linear: {{{first}: 1}}, at_most: {high}}}
surrogates:
  forest: {{kind: random_forest}}  # its optimum can be proven
  # smooth: {{kind: gaussian_process}}  # for smooth outcomes and few rows
  # network: {{kind: neural_network}}  # for many rows
objectives:
  highest: {{maximize: {output}}}  # or minimize
  wanted: {{target: {{{output}: {target}}}}}  # a value that a fifth of the rows exceed; tolerance: 1 % of the range
  # band: {{within: {{{output}: [{lower}, {upper}]}}}}
inverters:
  tpe: {{kind: hyperopt, evaluations: 500}}
  certified: {{kind: certified, boxes: 20000}}  # proves the optimum of the forest, or how far off it may be
  random: {{kind: random, evaluations: 500}}  # what every other method must beat
next: {{experiments: 8}}  # recipes to run next, as a table to fill in
"""


@dataclass(frozen=True)
class Column:
    """A column of a table: its numbers (n,), NaN where a cell is empty, or its texts."""

    name: str
    unit: str
    numbers: np.ndarray | None
    texts: tuple[str, ...] = ()
    empty: int = 0

    @property
    def filled(self) -> np.ndarray:
        assert self.numbers is not None
        return self.numbers[np.isfinite(self.numbers)]

    @property
    def is_constant(self) -> bool:
        return (len(self.filled) == 0 or np.ptp(self.filled) == 0) if self.numbers is not None else len(self.texts) < 2


def write(table: str, outputs: Sequence[str] | None = None) -> Path:
    """Write a study beside a table and return its path.

    Raises StudyError for a table that can't be read or inverted, an unknown output, and a file that is there already.
    """
    if Path(table).is_file() and Path(table).suffix in (".yaml", ".yml"):
        from preimage.study.petab import writing

        return writing.write(table)
    path = Path(table).with_suffix(".yaml")
    if path.exists():
        raise StudyError(f"{path}: the file is there already; it is not overwritten")
    text = study(table, outputs)
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")
    return path


def study(table: str, outputs: Sequence[str] | None = None) -> str:
    """Return the text of a study of a table; the last column of numbers is its output where none is named."""
    source = read_file(table, [], [])
    rows = len(source.table)
    if rows < FEWEST_ROWS:
        raise StudyError(f"{table}: found {rows} rows, expected at least {FEWEST_ROWS}")
    columns = [_column(source, field) for field in source.table.schema]
    useful = [c for c in columns if _is_useful(c, rows)]
    numbers = [c.name for c in useful if c.numbers is not None]
    for name in outputs or ():
        if name not in numbers:
            raise StudyError(f"{table}: no column of numbers '{name}' that varies{did_you_mean(name, numbers)}")
    chosen = list(outputs or numbers[-1:])
    inputs = [c for c in useful if c.name not in chosen]
    if not chosen or not any(c.numbers is not None for c in inputs):
        raise StudyError(f"{table}: found {len(numbers)} columns of numbers that vary, expected inputs and an output")
    ignored = [c for c in columns if c not in useful]
    used = [*inputs, *(c for c in columns if c.name in chosen)]
    path = Path(table).with_suffix(".yaml")
    head = HEAD.format(
        file=_text(Path(table).name if path.parent == Path() else table),
        path=path,
        name=re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem),
        choice=_choice(numbers, chosen, given=bool(outputs)),
        outputs=", ".join(map(_text, chosen)),
    )
    return (
        head
        + _reading(ignored, used)
        + _inputs(inputs)
        + _rest(next(c for c in columns if c.name == chosen[0]), inputs)
    )


def _column(source: Source, field: pa.Field) -> Column:
    """Return a column of the table. Raises StudyError for numbers that may be read in two ways."""
    values = source.table[field.name]
    unit = bare((field.metadata or {}).get(b"unit", b"").decode())
    source.check(field.name)
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        numbers = values.cast(pa.float64()).to_numpy()
        return Column(field.name, unit, numbers, empty=int((~np.isfinite(numbers)).sum()))
    texts = pc.unique(values.cast(pa.string())).to_pylist() if _is_text(values.type) else []
    filled = tuple(sorted(t for t in texts if t and t.strip()))
    return Column(field.name, unit, None, filled, values.null_count if len(filled) == len(texts) else len(values))


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)


def _is_useful(column: Column, rows: int) -> bool:
    if column.is_constant or column.empty > rows / 2:
        return False
    return column.numbers is not None or len(column.texts) <= min(MOST_CATEGORIES, rows / ROWS_PER_CATEGORY)


def _choice(numbers: Sequence[str], chosen: Sequence[str], given: bool) -> str:
    others = ", ".join(n for n in numbers if n not in chosen)
    return f"Others may be: {others}." if given else f"This is the last column of numbers; others may be: {others}."


def _reading(ignored: Sequence[Column], used: Sequence[Column]) -> str:
    text = ""
    if ignored:
        text += "    # They do not vary, are mostly empty, or are names and remarks.\n"
        text += f"    ignore: [{', '.join(_text(c.name) for c in ignored)}]\n"
    if empty := [c for c in used if c.empty]:
        said = ", ".join(f"{c.name} {c.empty}" for c in empty)
        text += f"    # Rows with empty cells don't count ({_comment(said)}). Without this key they are an error.\n"
        text += "    incomplete: leave_out\n"
    return text


def _inputs(inputs: Sequence[Column]) -> str:
    lines = ["  # What you can set: candidates stay within these bounds, the table's own. `fixed: 3` fixes an input."]
    lines += ["  inputs:"]
    for column in inputs:
        if column.numbers is None:
            settings, note = f"categories: [{', '.join(map(_quoted, column.texts))}]", ""
        else:
            low, high = _bounds(column)
            settings = f"low: {low}, high: {high}" + (f", unit: {_quoted(column.unit)}" if column.unit else "")
            whole = bool((column.filled == np.rint(column.filled)).all())
            note = "  # whole numbers in the table: add `integer: true` where no others make sense" if whole else ""
        lines.append(f"    {_text(column.name)}: {{{settings}}}{note}")
    return "\n".join([*lines, ""])


def _bounds(column: Column) -> tuple[str, str]:
    """Return the range of a column of numbers, outwards in short numbers."""
    step = float(np.ptp(column.filled)) / 1000
    ends = digits.down(column.filled.min(), step), digits.up(column.filled.max(), step)
    return ends[0].replace(",", ""), ends[1].replace(",", "")


def _rest(output: Column, inputs: Sequence[Column]) -> str:
    first = next(c for c in inputs if c.numbers is not None)
    lower, target, upper = np.quantile(output.filled, [0.6, 0.8, 0.9])
    step = float(np.ptp(output.filled)) / 100
    return REST.format(
        first=_text(first.name),
        high=_bounds(first)[1],
        output=_text(output.name),
        **{
            name: digits.plain(v, step)
            for name, v in zip(("lower", "target", "upper"), (lower, target, upper), strict=True)
        },
    )


def _text(value: str) -> str:
    """Return a name as YAML: as it is where it can't be taken for anything else."""
    return value if PLAIN.fullmatch(value) and value.lower() not in WORDS else _quoted(value)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> str:
    return " ".join(text.split())
