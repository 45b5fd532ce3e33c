"""Reading a parquet file into Arrow columns, without the index that pandas keeps in it."""

from __future__ import annotations

import re
from collections.abc import Collection

import pyarrow as pa
import pyarrow.parquet as pq

from preimage.data.source import Source, first_line
from preimage.support.errors import StudyError

# What pandas calls an index without a name.
UNNAMED = re.compile(r"__index_level_\d+__")


def read(path: str, categories: Collection[str], ignore: Collection[str]) -> Source:
    try:
        table = pq.ParquetFile(path).read()
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise StudyError(f"{path}: corrupt or truncated parquet ({first_line(error)})") from None
    stored, names, categorical = _pandas(table)
    said = [
        f"{path}: '{name}' is the index of a DataFrame and is left out; to make it a column, call reset_index() before "
        "saving; to silence this, list it under `ignore`"
        for name in names
        if name not in ignore
    ]
    said += [
        f"{path}, column '{name}': read a categorical column of numbers as numbers; for a category, list its values "
        "under problem.inputs"
        for name in categorical
        if name not in {*categories, *ignore}
    ]
    kept = [k for k, name in enumerate(table.column_names) if name not in stored and not UNNAMED.fullmatch(name)]
    return Source(path, table.select(kept), notes=tuple(said), row_labels=tuple(names))


def _pandas(table: pa.Table) -> tuple[set[str], list[str], list[str]]:
    """Return what pandas says of a table in its metadata: columns in which it keeps its index, the names of the index
    (which may be a range, in no column), and columns that were categorical."""
    try:
        about = table.schema.pandas_metadata or {}
        index = list(about.get("index_columns") or [])
        categorical = [c["field_name"] for c in about.get("columns") or [] if c["pandas_type"] == "categorical"]
    except (ValueError, TypeError, LookupError, AttributeError):  # not pandas' own, then
        return set(), [], []
    columns = table.column_names
    stored = {n for n in index if isinstance(n, str) and n in columns}
    ranges = [n["name"] for n in index if isinstance(n, dict) and isinstance(n.get("name"), str)]
    names = [n for n in columns if n in stored and not UNNAMED.fullmatch(n)] + [n for n in ranges if n not in columns]
    return stored, names, [n for n in columns if n in categorical and n not in stored]
