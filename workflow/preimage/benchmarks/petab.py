"""Rows of published PEtab problems: how many of 100 starts come to the best known likelihood, at which cost, beside
pyPESTO with AMICI and fides.

A problem is measured where there is a copy of it, as `petab/<name>/<name>.yaml` below `data`, or below the folder that
PREIMAGE_TEST_DATA names, and libSBML is installed. Where pyPESTO or AMICI is not, its cells are empty.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from preimage.benchmarks.timing import row
from preimage.calibration import building, engine
from preimage.calibration.fit import Fit
from preimage.core.space import Input, Space
from preimage.inversion.logarithmic import Logarithms

# Negative log-likelihoods at the published parameters.
BEST = {"boehm": 138.221996, "bruno": -46.688182, "brannmark": 141.889204}
STARTS, NEAR, SEED = 100, 1e-3, 0
PEER = "pyPESTO with AMICI and fides"


class Asked(NamedTuple):
    """What the search of a study's question is asked for."""

    fit: Fit
    space: Space


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows; a problem takes minutes."""
    folder = Path(os.environ.get("PREIMAGE_TEST_DATA", "data")) / "petab"
    for name, best in BEST.items():
        problem = folder / name / f"{name}.yaml"
        try:
            found = ours(problem) if problem.exists() else None
        except ImportError:
            found = None
        if found is None:
            yield {"what": f"{name}: no copy of the problem, or libSBML is not installed", "reached": True}
            continue
        theirs = peer(problem)
        (mine, cpu), (his, its_cpu) = found, theirs
        share, least = _share(mine, best), _least(mine)
        what = f"{name}: share of {STARTS} starts within {NEAR:g} of the best known"
        yield row(what, share, _share(his, best), PEER, "", "0.2", share >= 0.2)
        what = f"{name}: best negative log-likelihood"
        yield row(what, least, _least(his), PEER, "", f"{best:.3f}", least <= best + NEAR)
        what = f"{name}: CPU of {STARTS} starts, ours with compiling"
        yield row(what, cpu, its_cpu, PEER, "s", "half", not 2 * cpu > its_cpu)
        what = f"{name}: CPU for each start that comes to the best known, ours with compiling"
        each = row(what, _each(mine, best, cpu), _each(his, best, its_cpu), PEER, "s", "", True)
        yield {**each, "reached": None}


def ours(problem: Path, starts: int = STARTS) -> tuple[np.ndarray, float]:
    """Return the negative log-likelihood at which each start ends (n,), and seconds of CPU. Raises ImportError without
    libSBML."""
    import libsbml  # noqa: F401

    from preimage.commands import new
    from preimage.study import reading

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for file in problem.parent.iterdir():
            if file.suffix in (".tsv", ".xml", ".yaml") and not file.name.endswith("_study.yaml"):
                shutil.copy(file, folder)
        sys.path.insert(0, str(folder))
        begun = Path.cwd()
        try:
            os.chdir(folder)
            study = reading.load(new.write(problem.name))
            spec = {**study["problem"], "solver": {"method": "implicit"}}
            found = building.build(spec, study["objectives"]["fit"]["fit"])
        finally:
            os.chdir(begun)
            sys.path.remove(str(folder))
    began = time.process_time()
    inputs = study["problem"]["inputs"]
    ends = [[inputs[n].get("fixed", inputs[n].get(k)) for k in ("low", "high")] for n in found.names]
    space = Space(tuple(Input(n, float(a), float(b)) for n, (a, b) in zip(found.names, ends, strict=True)))
    logs = Logarithms.of(found.logarithmic, space)
    fit, space = found.by_logarithms(logs.mask), logs.bounds()
    question: Any = Asked(fit, space)
    X, _ = engine.starts(question, starts, np.arange(starts), 1, np.random.default_rng(SEED))
    loss = engine.search(fit, space, X, space.free, 1).loss
    return np.array([fit.negative_log_likelihood(v) for v in loss], float), time.process_time() - began


def peer(problem: Path, starts: int = STARTS) -> tuple[np.ndarray, float]:
    """Return the same of pyPESTO, its model compiled beforehand; nothing where it is not installed."""
    try:
        import amici  # type: ignore[import-not-found]  # noqa: F401
        import pypesto.optimize  # type: ignore[import-not-found]
        import pypesto.petab  # type: ignore[import-not-found]
    except ImportError:
        return np.full(1, np.nan), float("nan")
    with tempfile.TemporaryDirectory() as folder:
        importer = pypesto.petab.PetabImporter.from_yaml(str(problem), output_folder=f"{folder}/model")
        asked = importer.create_problem(verbose=False)
        np.random.seed(SEED)  # noqa: NPY002
        began = time.process_time()
        optimizer = pypesto.optimize.FidesOptimizer(verbose=logging.ERROR)
        found = pypesto.optimize.minimize(asked, optimizer=optimizer, n_starts=starts, progress_bar=False)
        return np.array(found.optimize_result.fval, float), time.process_time() - began


def _share(values: np.ndarray, best: float) -> float:
    return float((values < best + NEAR).mean()) if np.isfinite(values).any() else float("nan")


def _each(values: np.ndarray, best: float, cpu: float) -> float:
    """Return seconds of CPU for each start within reach of the best known; NaN where none is."""
    hits = int((values < best + NEAR).sum())
    return cpu / hits if hits else float("nan")


def _least(values: np.ndarray) -> float:
    return float(np.nanmin(values)) if np.isfinite(values).any() else float("nan")
