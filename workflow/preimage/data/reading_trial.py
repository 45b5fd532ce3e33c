"""Reads a table in a process of its own, in the memory that there is; `preimage.data.measured` asks how that ended."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

from preimage.data import sources
from preimage.data.notation import Notation
from preimage.support import child_process, limits


def main() -> NoReturn:
    """Read the table, and answer where it was read, or refused, in the memory that there is."""
    answers = child_process.Answers()
    limits.bound()
    path, is_parquet, categories, ignore, notation = json.load(sys.stdin)
    try:
        sources.read_any(path, is_parquet, categories, ignore, Notation(*notation))
    except MemoryError:
        answers.end()
    except Exception:  # whatever it is, it is said where the table is read
        pass
    answers.give("read")
    answers.end()


if __name__ == "__main__":
    main()
