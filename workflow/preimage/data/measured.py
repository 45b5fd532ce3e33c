"""How much memory a user's table would take, before it is read; what can't be seen so is read in a process apart first.

Arrow's readers may end Python where memory is short, instead of saying so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from preimage.support import child_process, limits
from preimage.support.errors import StudyError

MODULE = "preimage.data.reading_trial"
# Of a CSV file: bytes that each of its own may take (a digit and its comma become a number, which is copied), and that
# each column may take in each block that is read, however little it holds.
EACH, BLOCK, COLUMN = 16, 1 << 20, 2000


def check(path: str, is_parquet: bool, options: list[Any]) -> None:
    """Raise StudyError for a table that doesn't fit into memory.

    Args:
        options: what else it is to be read with (see `preimage.data.sources.read_any`).
    """
    if not (_parquet_may_burst(path) if is_parquet else _csv_may_burst(path)):
        return
    seconds = limits.seconds(Path(path).stat().st_size)
    ended = child_process.ask(MODULE, [path, is_parquet, *options], seconds)
    if ended.status is None:
        raise StudyError(f"{path}: reading takes more than {seconds:.0f} s; the file is damaged or too large")
    if not ended.answers:
        raise limits.too_much(path)


def _csv_may_burst(path: str) -> bool:
    size = Path(path).stat().st_size
    with Path(path).open("rb") as stream:
        title = stream.readline(BLOCK)
    columns = max(title.count(sign) for sign in (b",", b";", b"\t")) + 1
    return EACH * size + COLUMN * columns * (1 + size // BLOCK) > limits.process_memory()


def _parquet_may_burst(path: str) -> bool:
    """Return whether a file has cells of any length that are no texts (lists, say); raise StudyError for columns that
    don't fit."""
    _check_footer(path)
    try:
        file = pq.ParquetFile(path)
        _check_parquet(file, path)
        return not all(_is_text(field.type) or _width(field.type) for field in file.schema_arrow)
    except MemoryError:
        raise limits.too_much(path) from None
    except (pa.ArrowException, OSError):  # which reading it says
        return False


def _check_footer(path: str) -> None:
    """Raise StudyError where what a file says of its columns, of which four bytes give the length, is longer than of
    any table."""
    with Path(path).open("rb") as stream:
        stream.seek(-min(8, Path(path).stat().st_size), 2)
        size = int.from_bytes(stream.read(4), "little")
    if size > limits.DOCUMENT:
        raise StudyError(
            f"{path}: corrupt or truncated parquet: a footer of {limits.shown(size)}, expected at most "
            f"{limits.shown(limits.DOCUMENT)}"
        )


def _check_parquet(file: pq.ParquetFile, path: str) -> None:
    """Raise StudyError where a file holds more than fits, before it is read: a few bytes may stand for any number of
    equal cells, and for each a text of any length."""
    rows, fields = file.metadata.num_rows, list(file.schema_arrow)
    total = rows * sum(_width(field.type) or 8 for field in fields)
    limits.check_share(total, f"{path}: {rows} rows of {len(fields)} columns take", "table")
    for name in [field.name for field in fields if _is_text(field.type)]:
        for batch in pq.ParquetFile(path, read_dictionary=[name]).iter_batches(columns=[name]):
            for column in batch.columns:
                if isinstance(column, pa.DictionaryArray):  # not what is in a list, which is read apart
                    lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
                    total += pc.sum(pc.cast(lengths, pa.int64())).as_py() or 0
            limits.check_share(total, f"{path}, column '{name}': its data takes", "table")


def _is_text(kind: pa.DataType) -> bool:
    """Whether cells of a type are texts or bytes, also where the file was written of a dictionary."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def _width(kind: pa.DataType) -> int | None:
    """Return the bytes of a cell, 8 at least, which a number takes later on; None where the type doesn't say."""
    try:
        return None if pa.types.is_nested(kind) else max(8, kind.bit_width // 8)
    except ValueError:
        return None
