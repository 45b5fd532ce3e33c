"""Who may import whom: MLflow has one package, Snakemake none of the library; imports run downward, in no circle."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from ..running import ROOT

WORKFLOW = ROOT / "workflow"
# The packages, lowest first: each imports those before it.
LAYERS = (
    *(
        "support",
        "core",
        "problems",
        "data",
        "trees",
        "exact",
        "surrogates",
        "acquisition",
        "inversion",
        "calibration",
        "inference",
        "learning",
    ),
    *(
        "evidence",
        "tracking",
        "relearning",
        "study",
        "running",
        "figures",
        "reporting",
        "results",
        "certification",
        "commands",
    ),
    "benchmarks",
)
# Imports that run upward, each with its reason.
UPWARD = {
    # A fit is judged by the same points on the way as a search.
    ("preimage.calibration.assess", "preimage.evidence.assess"),
    # Weights carry the digest of the simulator's code.
    ("preimage.inference.simulators.loading", "preimage.running.fingerprint"),
    # A model at an MLflow address is fetched where models of the user's own are read.
    ("preimage.surrogates.brought.source", "preimage.tracking.models"),
    # What comes back from a tracking store is validated as a study.
    ("preimage.tracking.origin", "preimage.study.origin"),
}


@cache
def imports(path):
    """Return the modules that a file names in any import, wherever it stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [
                name if name in MODULES else node.module for name in (f"{node.module}.{a.name}" for a in node.names)
            ]
    return set(found)


def named(path):
    parts = path.relative_to(WORKFLOW).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {named(path): path for path in (WORKFLOW / "preimage").rglob("*.py")}


@pytest.fixture(scope="module")
def graph():
    """The modules of the library, and which others each imports."""
    return {name: (imports(path) & MODULES.keys()) - {name} for name, path in MODULES.items()}


def package(module):
    return module.split(".")[1] if "." in module else ""


def test_only_the_package_tracking_imports_mlflow():
    users = {path for path in WORKFLOW.rglob("*.py") if "mlflow" in {m.split(".")[0] for m in imports(path)}}
    assert users and all(path.is_relative_to(WORKFLOW / "preimage/tracking") for path in users), users


def test_the_library_never_imports_snakemake():
    assert not [name for name, path in MODULES.items() if "snakemake" in {m.split(".")[0] for m in imports(path)}]


def test_imports_run_downward(graph):
    assert {package(name) for name in MODULES} == {"", *LAYERS}
    pairs = {(one, other) for one, others in graph.items() for other in others if package(one) and package(other)}
    assert {p for p in pairs if LAYERS.index(package(p[1])) > LAYERS.index(package(p[0]))} == UPWARD


def test_no_module_imports_itself_by_way_of_others(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")
