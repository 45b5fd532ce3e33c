"""The user's own code, "package.module:function": which of it a study may name, and the files that it is made of.

A study may name functions in files beside it or below the working directory; of what is installed, only packages that
the user allows by name (`allow` in the config, never in a study). Otherwise a study file alone could run any command:
`os:system`. Nothing is imported here: files are looked for by hand, and read for their statements. Where a study is
read, its folder is written before the name, unless it is the working directory: "studies/mine/package.module:function".
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from preimage.support.errors import StudyError
from preimage.support.places import WORKFLOW

# Packages that the user allows, one after the other: set from the config by every process that reads it.
ALLOWED = "PREIMAGE_ALLOWED_PACKAGES"
IDENTIFIER = r"[^\W\d]\w*"
NAME = re.compile(rf"((?P<folder>.*)/)?(?P<module>{IDENTIFIER}(\.{IDENTIFIER})*):(?P<function>{IDENTIFIER})")
EXPECTED = "expected package.module:function, in a file beside the study or below the working directory"
# Statements whose blocks run as the module is imported.
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


class Code(NamedTuple):
    """A function of the user's: `file` is where its module is, below `root`; both None where its package is installed,
    and allowed."""

    name: str
    module: str
    function: str
    root: Path | None
    file: Path | None


def named(problem: Mapping[str, Any]) -> str | None:
    """Return the name of the user's function that a `problem` entry takes for a simulator; None where it has none."""
    name = str(problem.get("simulator") or "")
    return name if ":" in name else None


def allow(packages: Any) -> None:
    """Take the config's word for which installed packages studies may name: a list, or text with commas."""
    names = packages.split(",") if isinstance(packages, str) else packages or []
    os.environ[ALLOWED] = ",".join(name.strip() for name in names)


def located(name: str, beside: str | Path) -> str:
    """Return a name as a study has it with the folder of the study before it, where its file is there.

    Raises StudyError where the name is no such thing, or there is no file that a study may name.
    """
    if "/" in name:
        raise StudyError(f"problem.simulator '{name}': {EXPECTED}")
    folder = Path(os.path.relpath(beside))
    shown = "" if folder == Path() else f"{Path(beside).resolve() if '..' in folder.parts else folder}/"
    if shown and (match := NAME.fullmatch(name)) and _file(Path(shown), match["module"]) is not None:
        name = f"{shown}{name}"
    find(name)
    return name


def find(name: str) -> Code:
    """Return where a function of the user's is. Raises StudyError where a study may not name it."""
    match = NAME.fullmatch(name)
    if match is None:
        raise StudyError(f"problem.simulator '{name}': {EXPECTED}")
    root, module, where = Path(match["folder"] or ".").resolve(), match["module"], f"problem.simulator '{name}'"
    file = _file(root, module)
    if file is None:
        if _is_allowed(module):
            return Code(name, module, match["function"], None, None)
        raise StudyError(f"{where}: {_elsewhere(module)}")
    if module.partition(".")[0] in sys.stdlib_module_names:
        raise StudyError(f"{where}: {file} has the name of a standard library module; rename it")
    _check_place(file, root, where)
    code = Code(name, module, match["function"], root, file)
    _check_made_here(code, file, module, code.function, set())
    return code


def _is_allowed(module: str) -> bool:
    return any(f"{module}.".startswith(f"{a}.") for a in os.environ.get(ALLOWED, "").split(",") if a)


def _elsewhere(module: str) -> str:
    """Return why a module that is no file of the user's can't be named, and what to do."""
    top = module.partition(".")[0]
    try:
        # Of a name without dots, nothing is imported to find it.
        installed = top in sys.stdlib_module_names or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError, AttributeError):
        installed = True
    if not installed:
        return f"no such file as {module.replace('.', '/')}.py; {EXPECTED}"
    what = "part of Python" if top in sys.stdlib_module_names else "an installed package, not one of your files"
    return f"'{top}' is {what}; {EXPECTED} (if you trust every study with all of this package: --config allow={top})"


def _check_place(file: Path, root: Path, where: str) -> None:
    """Raise StudyError for a link that leads out of its folder, and for what is no code of the user's."""
    real = file.resolve()
    if not real.is_relative_to(root):
        raise StudyError(f"{where}: {file} is a link to {real}, outside {root}; expected the file itself")
    if is_installed(real):
        raise StudyError(f"{where}: {real} belongs to an installed package; {EXPECTED}")
    if real.is_relative_to(WORKFLOW):
        raise StudyError(f"{where}: {real} belongs to this workflow; {EXPECTED}")


def is_installed(file: Path) -> bool:
    """Whether a file, all links followed, is of the standard library or of an installed package."""
    folders = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {site.getusersitepackages(), *site.getsitepackages()}
    inside = any(file.is_relative_to(Path(folder).resolve()) for folder in folders if folder)
    return inside or bool({"site-packages", "dist-packages"} & set(file.parts))


def _check_made_here(code: Code, file: Path, module: str, function: str, seen: set[Path]) -> None:
    """Raise StudyError where a file can't be parsed, and where its function is one that it imports of other people's:
    that a user's file has `from shutil import rmtree` doesn't make that a simulator."""
    seen.add(file)
    assert code.root is not None
    for origin, original in _bound(parsed(code, file), function):
        base = _absolute(origin, module, file)
        inner = _file(code.root, base)
        if inner is None or base.partition(".")[0] in sys.stdlib_module_names or is_installed(inner.resolve()):
            raise StudyError(
                f"problem.simulator '{code.name}': {shown(file)} imports '{function}' from {base or origin}; expected "
                "a function defined in this file, which may call that one"
            )
        if inner not in seen:
            _check_made_here(code, inner, base, original, seen)


def parsed(code: Code, file: Path) -> ast.Module:
    """Return the statements of a user's file. Raises StudyError where it is no Python, with its line."""
    try:
        return ast.parse(file.read_bytes())
    except SyntaxError as error:
        said = f"{shown(file)}, line {error.lineno or 1}: {type(error).__name__}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        said = f"{shown(file)}: can't be read as Python: {error}"
    raise StudyError(f"problem.simulator '{code.name}': {said}")


def shown(file: Path) -> Path:
    """Return a file's path as a user would name it."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _bound(tree: ast.AST, name: str) -> Iterator[tuple[ast.ImportFrom, str]]:
    """Yield each import that gives a module this name as it runs, with the name that it has there."""
    for block in BLOCKS:
        for node in getattr(tree, block, ()):
            if isinstance(node, ast.ImportFrom):
                yield from ((node, alias.name) for alias in node.names if (alias.asname or alias.name) == name)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _bound(node, name)


def binds(code: Code) -> bool:
    """Whether a file says itself where its function is from: it defines, sets or imports it by its name."""
    assert code.file is not None
    return code.function in set(_names(parsed(code, code.file)))


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module gets as it runs, but by `from ... import *`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        yield from _names(node)


# -- files -------------------------------------------------------------------------------------------------------------


def files(name: str) -> dict[str, Path]:
    """Return the files of `name` by module: its own, and those that they import of the user's; none where its module
    is not found.

    Of a package that is installed they are those of that package alone.
    """
    match = NAME.fullmatch(name)
    if match is None:
        return {}
    for root in (Path.cwd() / (match["folder"] or ""), *(Path(p) for p in sys.path if p)):
        if _file(root, match["module"]) is not None:
            return dict(_closure(root, match["module"]))
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


def _imports(file: Path, module: str) -> Iterable[str]:
    """Yield the modules that a file may mean by its imports; nothing of one that is no Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, file)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, module: str, file: Path) -> str:
    """Return the module that `from ... import` names in a file, its dots resolved."""
    package = (module if file.name == "__init__.py" else module.rpartition(".")[0]).split(".")
    parts = package[: len(package) - node.level + 1] if node.level else []
    return ".".join([*parts, *([node.module] if node.module else [])])


def _file(root: Path, module: str) -> Path | None:
    if not module:
        return None
    path = root.joinpath(*module.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in reversed(found) if file.is_file()), None)
