"""Modules of the user's that add kinds to the registries: named in the config, never in a study."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from preimage.support.errors import StudyError

# Their names, one after the other: set from the config by every process that reads it, and inherited by its steps.
EXTENSIONS = "PREIMAGE_EXTENSIONS"


def use(modules: Any) -> None:
    """Take the config's word for which modules to import: a list, or text with commas. Raises StudyError."""
    names = modules.split(",") if isinstance(modules, str) else modules or []
    os.environ[EXTENSIONS] = ",".join(name.strip() for name in names)
    load()


def load() -> None:
    """Import every module that is named, of the working directory or installed. Raises StudyError where that fails."""
    for name in filter(None, os.environ.get(EXTENSIONS, "").split(",")):
        if name not in sys.modules:
            _load(name)


def _load(name: str) -> None:
    here = Path.cwd()
    if any((here / name.replace(".", "/")).with_suffix(end).exists() for end in (".py", "")):
        sys.path.insert(0, str(here))  # and there it stays: the module may import what lies beside it
        importlib.invalidate_caches()
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise StudyError(f"config, key 'extensions': {name} imports {error.name}, which is not installed") from None
        raise StudyError(
            f"config, key 'extensions': unknown module '{name}'; expected a file {name}.py in {here}, or a package"
        ) from None
    except Exception as error:
        raise StudyError(f"config, key 'extensions': {name}: {type(error).__name__}: {error}") from error
