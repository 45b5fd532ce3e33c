"""What the heavy packages weigh, what importing each costs, and which of them each kind of step loads before it works.

python -m preimage.benchmarks.imports prints two tables for docs/set-up.md.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from preimage.support.places import WORKFLOW, python_path
from preimage.tracking.record import SLOW_TO_IMPORT

# What a user's environment has of packages that take long to import, or much room, by the name that is imported.
PACKAGES = {
    **{"mlflow": "mlflow", "jax": "jax", "keras": "keras", "diffrax": "diffrax", "numba": "numba", "scipy": "scipy"},
    **{"sklearn": "scikit-learn", "pandas": "pandas", "pyarrow": "pyarrow", "matplotlib": "matplotlib"},
    **{"hyperopt": "hyperopt", "onnxruntime": "onnxruntime", "skops": "skops", "pandera": "pandera"},
    **{"snakemake": "snakemake", "jsonschema": "jsonschema", "jinja2": "jinja2", "cmaes": "cmaes"},
}
# What comes with them, and is as large.
PARTS = {"jax": ["jaxlib"], "numba": ["llvmlite"], "mlflow": ["mlflow-skinny", "mlflow-tracing"]}
REPEATS = 3
LOADED = "import json, sys; print(json.dumps([n for n in sys.argv[1:] if n in sys.modules]))"


def main() -> None:
    print("| package | MB | CPU seconds to import | on top of numpy |\n|---|--:|--:|--:|")
    empty, numpy = cpu_seconds("pass"), cpu_seconds("import numpy")
    rows = [(name, megabytes(name), cpu_seconds(f"import {name}")) for name in PACKAGES]
    for name, size, seconds in sorted(rows, key=lambda row: -row[2]):
        print(f"| {PACKAGES[name]} | {size:.0f} | {seconds - empty:.1f} | {max(seconds - numpy, 0):.1f} |")
    print("\n| step | heavy packages loaded before it works |\n|---|---|")
    for script in sorted((WORKFLOW / "scripts").glob("*.py")):
        print(f"| {script.stem} | {', '.join(loaded(script)) or '-'} |")


def megabytes(name: str) -> float:
    """Return what a package takes on disk, with the parts that come with it."""
    files = [f for n in (PACKAGES[name], *PARTS.get(name, ())) for f in distribution(n).files or ()]
    sizes = [Path(f.locate()).stat().st_size for f in files if Path(f.locate()).exists() and f.suffix != ".pyc"]
    return sum(sizes) / 1e6


def cpu_seconds(code: str) -> float:
    """Return the CPU seconds of a Python that runs a line, the least of several."""
    found = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _python(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def loaded(script: Path) -> list[str]:
    """Return which packages that are slow to import the import statements at the top of a script load."""
    body: list[ast.stmt] = [
        node for node in ast.parse(script.read_bytes()).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    found: list[str] = json.loads(_python(f"{ast.unparse(ast.Module(body, []))}\n{LOADED}", *SLOW_TO_IMPORT))
    return found


def _python(code: str, *arguments: str) -> str:
    # The library's folder comes by an environment of its own, so that a checkout need not be installed.
    start = f"import sys; sys.path[:0] = {[p for p in python_path().split(':') if p]!r}\n"
    command = [sys.executable, "-c", start + code, *arguments]
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
