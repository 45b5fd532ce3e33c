"""C2ST: can a classifier tell two sets of draws apart? 0.5 where they are the same, 1 where none could be mixed up.

Lopez-Paz and Oquab, "Revisiting classifier two-sample tests" (2017), with the settings of the public benchmark of
simulation-based inference (Lueckmann et al. 2021, `sbibm.metrics.c2st`), so that figures compare.
"""

from __future__ import annotations

import numpy as np

SEED = 1
FOLDS = 5


def c2st(reference: np.ndarray, draws: np.ndarray, seed: int = SEED) -> float:
    """Return the accuracy on parts held out, for draws (k, d) beside reference draws (k, d), equally many.

    Both are scaled by mean and sd of the reference. The classifier is scikit-learn's network of two hidden layers of
    10 d units, in 5 folds. Raises ValueError for numbers that are not finite or counts that differ.
    """
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if reference.shape != draws.shape:
        raise ValueError(f"found draws of shapes {reference.shape} and {draws.shape}, expected one shape")
    mean, sd = reference.mean(axis=0), reference.std(axis=0, ddof=1)
    # The benchmark computes in single precision.
    data = ((np.concatenate([reference, draws]) - mean) / sd).astype(np.float32)
    target = np.repeat([0.0, 1.0], len(reference))
    width = 10 * reference.shape[1]
    network = MLPClassifier(
        activation="relu", hidden_layer_sizes=(width, width), max_iter=10000, solver="adam", random_state=seed
    )
    folds = KFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    # Its matrices are so small that a second thread costs three times what it gains.
    with threadpool_limits(1):
        scores = cross_val_score(network, data, target, cv=folds, scoring="accuracy", error_score="raise")
    return float(np.mean(scores))
