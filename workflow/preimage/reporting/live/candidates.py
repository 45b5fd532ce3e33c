"""The candidates of a page: a table to load from and to download."""

from __future__ import annotations

import base64
from typing import Any

import pandas as pd

from preimage.core.candidates import CASE, without_formulas
from preimage.core.portable import pack

# Cells of a page's table: of larger tables the first ranks are shown.
MOST = 100_000


def table(candidates: pd.DataFrame) -> dict[str, Any]:
    """Return the candidates by column: packed numbers, or texts with the position of each; those of the first ranks
    where there are many.

    Keys: `columns`, `rows`, `of`, how many candidates there are in all, and `places`, where each is in the whole table.
    """
    found = _first_ranks(candidates.reset_index(drop=True))
    return {
        "rows": len(found),
        "of": int(candidates["rank"].notna().sum()),
        "places": pack(found.index.to_numpy()),
        "columns": {name: _column(found[name]) for name in found},
    }


def places(candidates: pd.DataFrame, some: pd.DataFrame) -> list[int | None]:
    """Return where some candidates of the last round are in the whole table."""
    key = ["seed", *CASE[2:], "start"]
    known = {case: k for k, case in enumerate(candidates[key].itertuples(index=False, name=None))}
    return [known.get(case) for case in some[key].itertuples(index=False, name=None)]


def address(candidates: pd.DataFrame) -> str:
    """Return the same candidates as a CSV file that a page carries, where it has no code to make one."""
    text = without_formulas(_first_ranks(candidates)).to_csv(index=False)
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.encode('utf-8-sig')).decode()}"


def _first_ranks(candidates: pd.DataFrame) -> pd.DataFrame:
    found = candidates[candidates["rank"].notna()]
    most = MOST // max(1, found.shape[1])
    if len(found) <= most:
        return found
    return found[found["rank"] <= max(1, most // max(1, len(found[CASE].drop_duplicates())))]


def _column(values: pd.Series) -> dict[str, Any]:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return pack(values.to_numpy(float, na_value=float("nan")))
    place, texts = pd.factorize(values.astype("str").where(values.notna()))
    return {**pack(place + 1), "texts": ["", *map(str, texts)]}
