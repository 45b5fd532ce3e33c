"""Rows of learning by inversion: digits beside a logistic regression, and where training a line ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preimage import study
from preimage.data.rows import Rows
from preimage.learning import latent_classes as shown
from preimage.learning import line, recursion
from preimage.support.jax_setup import enable_double
from preimage.surrogates.kinds.latent_classes import LatentClasses
from preimage.surrogates.latent.inner import Inner

ROOT = Path(__file__).resolve().parents[3]
SPLITS, LATENTS = 3, (8, 12, 16)


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows; digits take some three minutes a split."""
    yield from digits()
    enable_double()
    course = recursion.training(2.5)
    error = max(abs(course.a[-1] - 1.99993), abs(course.b[-1] + 3.99985))
    yield {"what": "recursion: distance from its known end", "ours": error, "reach": "1e-5", "reached": error < 1e-5}
    course = line.descent(2.5, Inner("gradient_descent", recursion.ALPHA, 200))
    error = max(abs(course.a[-1] - 2), abs(course.b[-1] + 4))
    yield {"what": "implicit: distance from 2, -4", "ours": error, "reach": "1e-6", "reached": error < 1e-6}


def digits() -> Iterator[dict[str, Any]]:
    """Yield test accuracy over random splits (70 % to train on), and the residual's AUC against foreign inputs.

    How many latent coordinates a class has is chosen in each split, by cross-validation of its training rows: the test
    rows of a split chose nothing.
    """
    options = LatentClasses.of_study(study.load(ROOT / "config/studies/digits.yaml")["surrogates"]["decoders"])
    table = pd.read_parquet(ROOT / "config/data/digits.parquet").to_numpy(float)
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(table))
        cut = round(0.7 * len(table))
        train, test = (Rows.plain(table[part, :64], table[part, 64:]) for part in (order[:cut], order[cut:]))
        tried = [options.changed(latent=latent).train(train, np.random.default_rng(seed)) for latent in LATENTS]
        model: Any = max(tried, key=lambda t: t.parameters["cross_validated_accuracy"]).surrogate
        found.append(shown.judge(model, train, test, None, np.random.default_rng(seed)).findings)
    ours, peer = (float(np.mean([f[k] for f in found])) for k in ("accuracy", "logistic_accuracy"))
    yield {
        "what": f"digits, test accuracy, mean of {SPLITS} splits", "ours": ours, "peer": peer,
        "peer_name": "logistic regression", "unit": "", "ratio": peer / ours, "reach": "0.97", "reached": ours >= 0.97,
    }  # fmt: skip
    for name in found[0]["auc"]:
        auc = float(np.mean([f["auc"][name] for f in found]))
        yield {
            "what": f"digits, AUC of the residual against {name}",
            "ours": auc,
            "reach": "0.95",
            "reached": auc > 0.95,
        }
