"""Scripts run only as steps, and no type checker reads them: what they take of the library must be there."""

import ast
import importlib
import types

import pytest

from ..running import ROOT

SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


def imported(tree):
    """Return what a script imports of the library, by its name there. Raises ImportError for what is not there."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("preimage"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                found[alias.asname or alias.name] = getattr(module, alias.name)
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_takes_of_the_library_what_is_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {name: value for name, value in imported(tree).items() if isinstance(value, types.ModuleType)}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    taken = [
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in set(modules) - bound
    ]
    assert [f"{name}.{attribute}" for name, attribute in taken if not hasattr(modules[name], attribute)] == []
