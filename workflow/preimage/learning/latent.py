"""The decoder that a surrogate of kind `latent` has learned, as the generative model that it is: beside the truth, and
how well each observation is explained."""

from __future__ import annotations

import numpy as np
import pandas as pd

from preimage.data.rows import Rows
from preimage.learning.found import Found
from preimage.problems.loading import Problem
from preimage.surrogates.latent import Latent

POINTS = 101


def judge(model: Latent, train: Rows, test: Rows, truth: Problem | None, rng: np.random.Generator) -> Found:
    """Return how far the test rows are from what their predictions would look like, and of one latent coordinate the
    decoder's values over the range of the training rows (one output, any number of inputs)."""
    residual = np.sqrt(((test.X - model.explained(test.X)) ** 2).mean(axis=0))
    findings = {
        "residual": dict(zip(test.inputs, residual.tolist(), strict=True)),
        "decoder": type(model.decoder).__name__.lower(),
    }
    if train.Y.shape[1] != 1:
        return Found({}, findings)
    y = np.linspace(train.Y.min(), train.Y.max(), POINTS)[:, None]
    seen = pd.DataFrame(model.decode(y), columns=[f"seen.{n}" for n in train.inputs])
    rows = pd.DataFrame({"latent": train.Y[:, 0], **{f"seen.{n}": train.X[:, j] for j, n in enumerate(train.inputs)}})
    return Found({"decoder": seen.assign(latent=y[:, 0]), "rows": rows}, findings)
