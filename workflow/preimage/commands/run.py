"""`preimage run my.yaml ...`: what `make run` does, with the files of the workflow that are installed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from preimage.support.places import REPOSITORY, WORKFLOW

CORES = ("--cores", "-c", "--jobs", "-j")
CONFIG = ("--config", "-C")
STUDY = (".yaml", ".yml")


def run(arguments: Sequence[str]) -> int:
    """Run Snakemake in the working directory, in place of this process.

    Args:
        arguments: study files or folders first, then whatever Snakemake takes.
    """
    os.execv(sys.executable, [sys.executable, str(WORKFLOW / "run.py"), *command(arguments)])


def command(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of `workflow/run.py`."""
    count = next((k for k, word in enumerate(arguments) if not _is_study(word)), len(arguments))
    studies, rest = list(arguments[:count]), list(arguments[count:])
    named = [f"studies={json.dumps(studies, ensure_ascii=False)}"] if studies else []
    at = next((k for k, word in enumerate(rest) if word in CONFIG), None)
    if at is not None:
        rest[at + 1 : at + 1] = named
    elif named:
        rest += ["--config", *named]
    cores = [] if any(word.startswith(CORES) for word in rest) else ["--cores", "all"]
    return ["--snakefile", str(REPOSITORY / "Snakefile"), *cores, *rest]


def _is_study(word: str) -> bool:
    return not word.startswith("-") and (word.endswith(STUDY) or Path(word).is_dir())
