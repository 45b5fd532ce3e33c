"""The digest of the code that a step runs: the library modules that it imports, by way of others too, and the user's.

Put into each rule's params, it makes Snakemake rerun a step when, and only when, code of its own changed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from preimage.problems import user_code
from preimage.support.places import IMPORT_PATH, WORKFLOW

PACKAGE = "preimage"
# Shared by every step and of no consequence to what it computes: an edit here is no reason to compute again.
NEUTRAL = ("preimage.running", "preimage.tracking", "preimage.support.stopping")
# Who is champion, though, is decided here.
REGISTRY = "preimage.tracking.registry"
# What stands beside the code and goes into what it makes.
BESIDE = ("*.html", "*.js")
# Where a statement, a branch or a case holds others.
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def digest(*names: str) -> str:
    """Return the digest of files named relative to `workflow/` ("scripts/train.py"), modules ("preimage.x.y"), and a
    user's own functions ("package.module:function")."""
    own = {module: file for name in names if ":" in name for module, file in user_code.files(name).items()}
    # Steps get their generator from `preimage.running.step`, which is neutral; how it is made is not.
    roots = [part for name in (*names, "preimage.support.rng") if ":" not in name for part in _roots(name)]
    code = {file for root in roots for file in closure(_file(root))}
    # Pages are made of templates and scripts that stand beside the code.
    beside = {page for folder in {file.parent for file in code} for kind in BESIDE for page in folder.glob(kind)}
    files = sorted(code | beside)
    whole = hashlib.sha256()
    for file in files:
        root = WORKFLOW if file.is_relative_to(WORKFLOW) else IMPORT_PATH
        whole.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    for module in sorted(own):
        whole.update(f"{module}\0".encode() + own[module].read_bytes())
    return whole.hexdigest()[:16]


def _roots(name: str) -> list[str]:
    return [name] if name.endswith(".py") else [m for m in _with_packages(name) if not _neutral(m)]


@cache
def closure(file: Path) -> frozenset[Path]:
    """Return a file and every module of the library that it imports, directly or by way of others."""
    found: set[Path] = set()
    queue = [file]
    while queue:
        current = queue.pop()
        if current not in found:
            found.add(current)
            queue += [_file(m) for m in _imports(current) if not _neutral(m)]
    return frozenset(found)


@cache
def _imports(file: Path) -> tuple[str, ...]:
    """Return the library's modules that a file names in any import, wherever it stands."""
    found: list[str] = []
    for node in _statements(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] == PACKAGE and _exists(name):
                found += _with_packages(name)
    return tuple(found)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a block, and in blocks within it: an import is never part of an expression, and there are
    ten times as many of these."""
    for block in BLOCKS:
        for inner in getattr(node, block, ()):
            yield inner
            yield from _statements(inner)


def _neutral(module: str) -> bool:
    """Whether a module is neutral, by itself or with the package that it is in."""
    inside = [f"{module}.".startswith(f"{part}.") for part in (*NEUTRAL, REGISTRY)]
    return module == PACKAGE or (any(inside) and not inside[-1])


def _with_packages(module: str) -> list[str]:
    """Return a module and the packages around it, whose `__init__` runs when it is imported."""
    parts = module.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts) + 1)]


def _exists(module: str) -> bool:
    return _path(module).with_suffix(".py").is_file() or (_path(module) / "__init__.py").is_file()


def _file(name: str) -> Path:
    if name.endswith(".py"):
        return WORKFLOW / name
    path = _path(name)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _path(module: str) -> Path:
    return IMPORT_PATH.joinpath(*module.split("."))
