"""Small tables of mixes, written as files of every dialect and read back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from preimage.data import tables

N = 12


def frame(**changed):
    columns = {"cement": np.arange(N) + 0.5, "water": np.arange(N) * 10, "strength": np.arange(N) / 3}
    return pd.DataFrame({**columns, **changed})


def save(path, value):
    """Write a DataFrame by its suffix, an Arrow table as parquet, text or bytes as they are."""
    if isinstance(value, pd.DataFrame):
        value.to_parquet(path) if path.endswith(".parquet") else value.to_csv(path, index=False)
    elif isinstance(value, pa.Table):
        pq.write_table(value, path)
    else:
        Path(path).write_bytes(value.encode() if isinstance(value, str) else value)
    return path


def read(value, path="mixes.csv", outputs=("strength",), categories=None, ignore=()):
    """Read one file; return it as a DataFrame with its inputs and outputs."""
    spec = {"file": save(path, value), "outputs": list(outputs), "ignore": list(ignore)}
    table, inputs, outputs, _ = tables.import_table(spec, categories)
    return table.to_pandas(), inputs, outputs


def read_pair(x, y, features="x.csv", targets="y.csv", **more):
    table, inputs, outputs, _ = tables.import_table(
        {"features": save(features, x), "targets": save(targets, y), **more}
    )
    return table.to_pandas(), inputs, outputs


def text(value, **options):
    return value.to_csv(index=False, **options)


def with_cell(row, column, value):
    """Return the plain table with one cell replaced by text."""
    changed = frame().astype(object)
    changed.loc[row, column] = value
    return changed


DIALECTS = {
    "plain": {},
    "semicolons": {"sep": ";"},
    "tabs": {"sep": "\t"},
    "decimal commas": {"sep": ";", "decimal": ","},
    "tabs and decimal commas": {"sep": "\t", "decimal": ","},
    "carriage returns": {"lineterminator": "\r\n"},
    "quoted": {"quoting": 1},
}
