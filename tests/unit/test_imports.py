"""Who may import whom: MLflow has one package, Snakemake none of the library, and nouns know nothing of methods."""

import ast

import pytest

from ..running import ROOT

WORKFLOW = ROOT / "workflow"
NOUNS = {"candidates", "dynamics", "objective", "polytope", "problem", "space"}
# What may import each part, beside itself; what is not named here may be imported by all.
USERS = {
    "benchmarks": set(),
    "reporting": {"benchmarks"},
    "figures": {"benchmarks", "reporting"},
    "relearning": {"benchmarks"},
    "study": {"benchmarks", "invocation", "own_trial", "reproduction"},
}
METHODS = {
    "evidence",
    "figures",
    "inference",
    "inversion",
    "learning",
    "relearning",
    "reporting",
    "surrogates",
    "tracking",
}


def imports():
    """Return (file, module) for every import of the workflow, wherever it stands."""
    found = []
    for path in sorted(WORKFLOW.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [(path.relative_to(WORKFLOW), alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                whole = [f"preimage.{a.name}" for a in node.names] if node.module == "preimage" else [node.module]
                found += [(path.relative_to(WORKFLOW), name) for name in whole]
    return found


@pytest.fixture(scope="module")
def edges():
    """The parts of the library that each imports of the others: (from, to), and the file that does."""
    inside = [(p, m) for p, m in imports() if p.parts[0] == "preimage" and m.startswith("preimage.")]
    found = {(p.parts[1].removesuffix(".py"), m.split(".")[1]): p for p, m in inside}
    return {pair: path for pair, path in found.items() if pair[0] != pair[1]}


def test_only_the_package_tracking_imports_mlflow():
    users = {path for path, module in imports() if module.split(".")[0] == "mlflow"}
    assert users and all(path.is_relative_to("preimage/tracking") for path in users), users


def test_the_library_never_imports_snakemake():
    users = {path for path, module in imports() if module.split(".")[0] == "snakemake"}
    assert not [path for path in users if path.parts[0] == "preimage"]


def test_nouns_know_nothing_of_methods(edges):
    assert {pair for pair in edges if pair[0] in NOUNS and pair[1] in METHODS} == set()
    assert ("problem", "problems") in edges  # the list is one that sees imports


def test_what_stands_on_the_others_is_used_by_none_of_them(edges):
    wrong = {pair: path for pair, path in edges.items() if pair[1] in USERS and pair[0] not in USERS[pair[1]]}
    assert wrong == {}
