"""Models as plain arrays that a page can evaluate without Python, packed without loss."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Types that a browser has arrays of, smallest first.
WHOLE = ("uint8", "uint16", "uint32", "int8", "int16", "int32")
# A table of distinct numbers with a position for each is tried where it has no more entries than this share.
REPEATED = 0.5


@dataclass(frozen=True)
class Portable:
    """A model as arrays, with the settings of the arithmetic that evaluates them.

    Attributes:
        form: which arithmetic (see `preimage.reporting.live`).
    """

    form: str
    arrays: Mapping[str, np.ndarray]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def packed(self) -> dict[str, Any]:
        """Return the model as JSON can hold it."""
        arrays = {name: pack(array) for name, array in self.arrays.items()}
        return {"form": self.form, "settings": dict(self.settings), "arrays": arrays}


def pack(array: np.ndarray) -> dict[str, Any]:
    """Return an array as JSON can hold it: its shape, and its numbers as base64 in the smallest type that has each of
    them exactly; where few of them differ, those and the position of each."""
    array = np.asarray(array)
    plain = {"shape": list(array.shape), **_numbers(array.ravel())}
    values, place = np.unique(array.ravel(), return_inverse=True)
    if not array.size or len(values) > REPEATED * array.size:
        return plain
    by_table = {"shape": list(array.shape), **_numbers(place.ravel()), "table": _numbers(values)}
    return min(plain, by_table, key=size)


def size(packed: Mapping[str, Any]) -> int:
    """Return how many characters packed arrays take, those of settings and names aside."""
    return sum(
        size(value) if isinstance(value, Mapping) else len(value) * (key == "data")
        for key, value in packed.items()
        if isinstance(value, Mapping | str)
    )


def _numbers(values: np.ndarray) -> dict[str, str]:
    kinds = WHOLE if values.dtype.kind in "iub" else ("float32", "float64")
    for kind in kinds:
        with np.errstate(over="ignore"):
            small = values.astype(kind)
        if np.array_equal(small, values, equal_nan=values.dtype.kind == "f"):
            little = small.astype(small.dtype.newbyteorder("<"))
            return {"type": kind, "data": base64.b64encode(little.tobytes()).decode()}
    raise ValueError(f"a page has no array of {values.dtype}")
