"""A table of ours as tracking describes it: name, digest, columns, rows, and where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from preimage.data.tables import ROW
from preimage.support.files import sha256

# What the whole study is about.
STUDY = "study"


def described(path: str, context: str, name: str | None = None, source: Mapping[str, Any] | None = None) -> Any:
    """Describe a table of parquet.

    Args:
        context: what a step has it for: "training", "test", or "study" for what the whole study is about.
        name: its own; the file's where None.
        source: where it is from, as MLflow says it: {"type": ..., ...}; the file itself where None.
    """
    about = {"type": "local", "uri": str(path), **(source or {})}
    kinds = {f.name: "string" if _is_text(f.type) else "double" for f in pq.read_schema(path) if f.name != ROW}
    return {
        "name": name or Path(path).stem,
        "context": context,
        "digest": sha256(path),
        "rows": pq.read_metadata(path).num_rows,
        "columns": kinds,
        "source_type": about.pop("type"),
        "source": about,
    }


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
