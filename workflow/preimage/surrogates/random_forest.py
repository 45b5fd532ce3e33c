"""Surrogate `random_forest`: scikit-learn trains it on standardised columns, flat arrays evaluate it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from preimage.data.rows import Rows
from preimage.data.split import folds as make_folds
from preimage.support.files import replacing
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates.estimator import as_estimator
from preimage.surrogates.kinds.random_forest import RandomForest as Options
from preimage.surrogates.protocol import Trained
from preimage.trees import standardised
from preimage.trees.forest import Forest

ARRAYS = "forest.npz"
MODEL = "model.skops"
# What skops may construct when a saved forest is loaded, beside numpy's arrays and scikit-learn's own estimators.
TRUSTED = ["sklearn.tree._tree.Tree"]
SETTINGS = ("max_depth", "min_samples_leaf", "max_features")


def train(rows: Rows, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Train; trees tell a category's values apart one by one.

    Args:
        options: the study's settings (trees, max_depth, min_samples_leaf, max_features, folds, tune).
    """
    fold = make_folds(rows.group, options.folds, rng)
    seed = int(rng.integers(2**31 - 1))
    settings = {key: value for key in SETTINGS if (value := getattr(options, key)) is not None}
    settings["max_features"] = float(options.max_features)  # 1 would be one input, where 1.0 is all of them
    trials: list[dict[str, Any]] = []
    fit = _fitter(options.trees, seed, context.threads)
    if options.tune is not None:
        settings, trials = _tune(rows, fold, fit, options.tune.evaluations, rng, context)
    trees = fit(rows, settings)

    def save(folder: Path) -> None:
        import skops.io

        trees.forest.save(folder / ARRAYS)
        with replacing(folder / MODEL) as temporary:
            skops.io.dump(as_estimator(trees, rows.inputs), temporary)

    def refit(part: Rows) -> Forest:
        return fit(part, settings).forest

    out_of_fold = _out_of_fold(rows, fold, fit, settings)
    parameters = {"trees": options.trees, **settings, "random_state": seed}
    return Trained(trees.forest, save, out_of_fold, parameters, trials, refit=refit)


def load(folder: Path) -> Forest:
    return Forest.load(folder / ARRAYS)


def logged(folder: Path) -> dict[str, Any]:
    """Return how a tracking server is to keep the model."""
    return {"flavor": "sklearn", "path": str(folder / MODEL), "trusted": TRUSTED, "packages": ["scikit-learn", "skops"]}


Fit = Callable[[Rows, Mapping[str, Any]], standardised.Trees]


def _fitter(trees: int, seed: int, threads: int) -> Fit:
    from sklearn.ensemble import RandomForestRegressor

    def fit(rows: Rows, settings: Mapping[str, Any]) -> standardised.Trees:
        model = RandomForestRegressor(trees, random_state=seed, n_jobs=threads, **settings)
        fitted = standardised.fit(model, rows.X, rows.Y, rows.levels)
        model.set_params(n_jobs=1)  # prediction adds trees in order only on one thread
        return fitted

    return fit


def _out_of_fold(rows: Rows, fold: np.ndarray, fit: Fit, settings: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return prediction and spread (n, m) at each row, by a forest that was trained on the other folds."""
    predicted, spread = np.empty(rows.Y.shape), np.empty(rows.Y.shape)
    for k in np.unique(fold):
        held = fold == k
        forest = fit(rows.part(np.flatnonzero(~held)), settings).forest
        predicted[held], spread[held] = forest.predict(rows.X[held]), forest.spread(rows.X[held])
    return predicted, spread


def _tune(
    rows: Rows,
    fold: np.ndarray,
    fit: Fit,
    evaluations: int,
    rng: np.random.Generator,
    context: TrainingContext,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the settings with the smallest cross-validated error, and every trial.

    The space is a tree: depth, leaf size and share of inputs are each either scikit-learn's default or drawn.
    """
    from hyperopt import hp, space_eval

    from preimage.support import tpe

    space = {
        "max_depth": hp.choice("depth_limited", [None, hp.uniformint("max_depth", 2, 30)]),
        "min_samples_leaf": hp.choice("leaf_limited", [1, hp.uniformint("min_samples_leaf", 2, 20)]),
        "max_features": hp.choice("features_limited", [1.0, hp.uniform("max_features", 0.2, 1.0)]),
    }
    Y = rows.Y
    scale = Y.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    def settings_of(values: Mapping[str, float]) -> dict[str, Any]:
        # Labels of a choice are indices; hyperopt wants them whole.
        whole = {k: int(v) if k.endswith("_limited") else v for k, v in values.items()}
        chosen = space_eval(space, whole)
        numbers = {"max_depth": int, "min_samples_leaf": int, "max_features": float}
        return {k: None if chosen[k] is None else numbers[k](chosen[k]) for k in SETTINGS}

    def evaluate(values: dict[str, float]) -> float:
        predicted, _ = _out_of_fold(rows, fold, fit, settings_of(values))
        return float(np.sqrt(np.mean(((predicted - Y) / scale) ** 2)))

    done = tpe.search(space, evaluate, evaluations, rng, context.state, context.report)
    best = min(done, key=lambda t: t.loss)
    trials = [{**settings_of(t.values), "cross_validated_error": t.loss} for t in done]
    return settings_of(best.values), trials
