"""The files of a user's own code, "package.module:function": that module, and what it imports of the user's.

Nothing is imported here: files are looked for where Python would, and read for their import statements.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path


def files(name: str) -> dict[str, Path]:
    """Return the files of `name` by module; none where its module is not found.

    Of what it imports, there are modules beside it; of a package that is installed, those of that package alone.
    """
    module = name.partition(":")[0]
    for root in (Path.cwd(), *(Path(p) for p in sys.path if p)):
        if _file(root, module) is not None:
            return dict(_closure(root, module))
    return {}


def _closure(root: Path, module: str) -> Iterator[tuple[str, Path]]:
    top = module.partition(".")[0]
    installed = root.name in ("site-packages", "dist-packages") or (root / "os.py").exists()
    seen, queue = set(), [module]
    while queue:
        current = queue.pop()
        file = _file(root, current)
        if current in seen or file is None or (installed and current.partition(".")[0] != top):
            continue
        seen.add(current)
        yield current, file
        queue += [current.rpartition(".")[0], *_imports(file, current)]


def _imports(file: Path, module: str) -> Iterator[str]:
    """Yield the modules that a file may mean by its imports; nothing of one that is no Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _file(root: Path, module: str) -> Path | None:
    if not module:
        return None
    path = root.joinpath(*module.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in reversed(found) if file.is_file()), None)
