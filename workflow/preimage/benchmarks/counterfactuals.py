"""Rows of the nearest changes: 100 rows of concrete on an XGBoost model, each proven, beside treecf's exact mode and
DiCE's genetic search on the same model, with the same bounds and the same distance.

treecf and DiCE are in the extra `peers`; where one is not installed, its cells are empty.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from preimage.benchmarks.forest_peers import limited
from preimage.benchmarks.timing import row
from preimage.core import objective
from preimage.core.objective import Values, reference
from preimage.core.space import Input, Space
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Question
from preimage.support.clock import seconds
from preimage.surrogates.brought import xgboost_file

CONCRETE = Path("config/data")
# Rows that are changed, the MPa that each is to gain, and the seconds that a peer has for one.
ROWS, GAIN, PEER_SECONDS = 100, 10.0, 10.0


class Case(NamedTuple):
    """A row to change: the question, the row itself and the least output that is wanted."""

    question: Question
    x: np.ndarray
    least: float

    def distance(self, x: np.ndarray) -> float:
        """Return how far an answer is from the row; infinite where it does not give what is wanted, or leaves the
        bounds."""
        wanted, X = self.question.objective, x[None]
        assert wanted.near is not None
        good = self.question.space.contains(X)[0] and wanted.met(self.question.outputs(X))[0]
        return float(wanted.near.distance(X)[0]) if good else np.inf


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of the table."""
    model, cases = concrete()
    _proven(cases[0])  # compiles
    ours, took, proven = np.empty(ROWS), np.empty(ROWS), 0
    for k, case in enumerate(cases):
        took[k], answer = _timed(_proven, case)
        proven += answer.certificate["closed"]
        ours[k] = case.distance(answer.X[0])
    what = f"nearest change of {ROWS} mixes that gains {GAIN:g} MPa, XGBoost: {proven} proven; all together"
    yield row(what, float(took.sum()), float("nan"), "none", "s", "all proven", proven == ROWS)
    for name, peer in (("treecf's exact mode", treecf), ("DiCE, genetic", dice)):
        yield from _beside(name, peer(model, cases), cases, ours, float(np.median(took)))


def _beside(
    name: str, ask: Callable[[Case], np.ndarray | None] | None, cases: list[Case], ours: np.ndarray, took: float
) -> Iterator[dict[str, Any]]:
    """Yield a row of distances and one of seconds beside a peer's."""
    if ask is None:
        for what, value, unit in (("mean distance", float(ours.mean()), "ranges"), ("median of a row", took, "s")):
            yield row(f"nearest change: {what}", value, float("nan"), f"{name}: not installed", unit, "", True)
        return
    theirs, spent = np.full(len(cases), np.inf), np.empty(len(cases))
    for k, case in enumerate(cases):
        spent[k], x = _timed(ask, case)
        if x is not None:
            theirs[k] = case.distance(x)
    has = np.isfinite(theirs)
    nearer = int((theirs[has] < ours[has] - 1e-6).sum())
    what = f"nearest change: mean distance where {name} has an answer ({has.sum()}), nearer in {nearer}"
    reach = "never farther than the peer"
    yield row(what, float(ours[has].mean()), float(theirs[has].mean()), name, "ranges", reach, not nearer)
    yield row("nearest change: median of a row", took, float(np.median(spent)), name, "s", "", True)


def _timed(ask: Callable[[Case], Any], case: Case) -> tuple[float, Any]:
    """Return the seconds that an answer took, and the answer."""
    found: list[Any] = []
    return seconds(lambda: found.append(ask(case))), found[0]


def _proven(case: Case) -> Any:
    inverter = Inverter.of({"kind": "certified", "boxes": 1_000_000})
    ((answer, _),) = asking.ask(inverter, [case.question], np.random.default_rng(0))
    return answer


def concrete() -> tuple[Any, list[Case]]:
    """Return an XGBoost model of the strength of concrete, and rows to change: those that can gain so much."""
    from xgboost import XGBRegressor

    table = pd.read_parquet(CONCRETE / "concrete_features.parquet").astype(float)
    X, names = table.to_numpy(), list(table)
    Y = pd.read_parquet(CONCRETE / "concrete_targets.parquet").to_numpy(float)
    model = XGBRegressor(n_estimators=100, max_depth=6, random_state=0, n_jobs=1).fit(table, Y[:, 0])
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(Path(folder) / "model.ubj")
        trees = xgboost_file.read(Path(folder) / "model.ubj").trees
    space = Space(tuple(Input(n, float(x.min()), float(x.max())) for n, x in zip(names, X.T, strict=True)))
    predicted = trees.predict(X)[:, 0]
    able = np.flatnonzero(predicted + GAIN < predicted.max())
    cases = []
    for k in np.random.default_rng(0).choice(able, ROWS, replace=False):
        least = float(predicted[k] + GAIN)
        entry = {"within": {"strength": {"at_least": least}}, "closest_to": {"row": int(k) + 1}}
        wanted = objective.build("o", entry, ["strength"], Y.std(axis=0), np.ptp(Y, axis=0))
        assert isinstance(wanted, Values)
        today = {str(k + 1): dict(zip(names, X[k].tolist(), strict=True))}
        wanted = wanted.nearest_to(reference.build("o", entry, space, today), np.ptp(Y, axis=0))
        asked = Question(space, wanted, trees.predict, X, Y, np.arange(len(X)), trees=trees)
        cases.append(Case(asked, X[k], least))
    return model, cases


# -- peers -------------------------------------------------------------------------------------------------------------


def treecf(model: Any, cases: list[Case]) -> Callable[[Case], np.ndarray | None] | None:
    """Return treecf's exact mode, with our distance; None where it is not installed."""
    try:
        from treecf import Explainer, Range, Target
    except ImportError:
        return None
    space = cases[0].question.space
    ends = zip(space.names, space.low.tolist(), space.high.tolist(), strict=True)
    explainer = Explainer(
        model, cases[0].question.X, constraints=[Range(n, a, b) for n, a, b in ends], normalizers=space.high - space.low
    )

    def ask(case: Case) -> np.ndarray | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = explainer.explain(
                case.x, Target.raw(op=">=", value=case.least), backend="exact", time_budget_s=PEER_SECONDS, seed=0
            )
        return np.asarray(found.x_cf, float) if hasattr(found, "x_cf") else None

    return ask


def dice(model: Any, cases: list[Case]) -> Callable[[Case], np.ndarray | None] | None:
    """Return DiCE's genetic search, the nearest of ten answers; None where it is not installed."""
    try:
        import dice_ml
    except ImportError:
        return None
    asked = cases[0].question
    names = asked.space.names
    table = pd.DataFrame(asked.X, columns=names).assign(strength=asked.Y[:, 0])
    data = dice_ml.Data(dataframe=table, continuous_features=list(names), outcome_name="strength")
    search = dice_ml.Dice(data, dice_ml.Model(model=model, backend="sklearn", model_type="regressor"), method="genetic")

    def found(case: Case) -> np.ndarray:
        query = pd.DataFrame([case.x], columns=names)
        quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with quiet[0], quiet[1], warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = search.generate_counterfactuals(
                query, total_CFs=10, desired_range=[case.least, 100.0], proximity_weight=1.0, diversity_weight=0.0
            )
        return np.asarray(answers.cf_examples_list[0].final_cfs_df[names], float)

    def ask(case: Case) -> np.ndarray | None:
        # Where hardly any random point will do, it looks for its first ones without end.
        try:
            _, X = limited(lambda: found(case), PEER_SECONDS)
        except RuntimeError:
            return None
        return None if X is None else X[np.argmin([case.distance(x) for x in X])]

    return ask
