"""What a study of inference has come to, in the few numbers by which runs are compared in MLflow."""

from __future__ import annotations

import numpy as np

from preimage.reporting.inference_material import Material

OF_METHOD = ("simulations", "predictive_error", "c2st")


def key_figures(material: Material) -> dict[str, float | None]:
    """Return by name, for each method, means over observations and seeds: simulations, how far posterior predictions
    miss, C2ST against a reference where there is one; and over seeds, the coverage that fresh sets show."""
    found: dict[str, float | None] = {}
    for method in material.methods:
        mine = material.summary[material.summary["method"] == method]
        for name in OF_METHOD:
            values = mine[name].dropna() if name in mine else []
            found[f"posterior.{method}/{name}"] = float(np.mean(values)) if len(values) else None
        fresh = [material.checks[seed, method]["fresh"].get("coverage") for seed in material.seeds]
        covered = [one["found"] for one in fresh if one is not None]
        found[f"posterior.{method}/coverage"] = float(np.mean(covered)) if covered else None
    return found
