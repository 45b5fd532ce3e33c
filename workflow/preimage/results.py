"""The finished results of a study, for Python: `preimage.open("results/my")`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from preimage.core.space import Space
from preimage.data.setting import RowSummary, of_rows
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.files import read_json
from preimage.surrogates.base import kept
from preimage.surrogates.intervals import Intervals
from preimage.surrogates.protocol import Surrogate


@dataclass(frozen=True)
class Model:
    """A trained surrogate, with the names of its inputs (d) and outputs (m).

    Attributes:
        space: the inputs, with the training rows' range as their bounds.
        level: the share of new rows that an interval is meant to hold.
    """

    name: str
    kind: str
    space: Space
    outputs: list[str]
    level: float
    surrogate: Surrogate
    intervals: Intervals

    @property
    def inputs(self) -> list[str]:
        return self.space.names

    def predict(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Return the predicted outputs, a row per point and a column per output (n, m).

        Args:
            X: a table with a column per input, in any order, further ones being ignored; or an array (n, d) in the
                order of `inputs`, where a category is its index.

        Raises StudyError for a missing column, a category that is not declared, or another number of inputs.
        """
        points, index = self._points(X)
        return pd.DataFrame(self.surrogate.predict(points), index, self.outputs)

    def interval(self, X: pd.DataFrame | ArrayLike) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the lower and upper ends of the prediction intervals, each as `predict` returns its outputs."""
        points, index = self._points(X)
        ends = self.intervals.at(self.surrogate.predict(points), self.surrogate.spread(points))
        low, high = (pd.DataFrame(end, index, self.outputs) for end in ends)
        return low, high

    def _points(self, X: pd.DataFrame | ArrayLike) -> tuple[np.ndarray, pd.Index]:
        if isinstance(X, pd.DataFrame):
            for name in self.inputs:
                if name not in X:
                    raise StudyError(f"model '{self.name}': no column '{name}'{did_you_mean(name, X.columns)}")
            return self.space.encode(X.reset_index(drop=True)), X.index
        points = np.asarray(X, float)
        if points.ndim != 2 or points.shape[1] != len(self.inputs):
            raise StudyError(
                f"model '{self.name}': found an array of shape {points.shape}, expected (n, {len(self.inputs)}): "
                f"{', '.join(self.inputs)}"
            )
        return points, pd.RangeIndex(len(points))


class Models(Mapping[str, Model]):
    """The surrogates of one seed and round by name, each loaded when it is first used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = sorted(p.parent.name for p in folder.glob("surrogates/*/surrogate.json"))
        self._loaded: dict[str, Model] = {}

    def __getitem__(self, name: str) -> Model:
        if name not in self._names:
            raise KeyError(f"{self._folder}: no model '{name}'{did_you_mean(name, self._names)}")
        if name not in self._loaded:
            self._loaded[name] = _model(self._folder, name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Results:
    """The results of a study, read as they are asked for. docs/tables.md has every column."""

    folder: Path

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per seed, model, objective and method: its best candidate, or of inference, its posterior."""
        return pd.read_csv(self.folder / "summary.csv")

    @cached_property
    def candidates(self) -> pd.DataFrame | None:
        """Every start and trial of every method; None of a study of inference."""
        return self._parquet("candidates.parquet")

    @cached_property
    def posterior(self) -> pd.DataFrame | None:
        """The draws of every posterior with their weights; None unless the study is one of inference."""
        return self._parquet("posterior.parquet")

    @cached_property
    def fit(self) -> pd.DataFrame | None:
        """The observed and fitted series of the best candidates; None unless the study fits any."""
        return self._parquet("fit.parquet")

    @cached_property
    def pareto(self) -> pd.DataFrame | None:
        """The points of every front; None unless the study asks for a trade-off."""
        path = self.folder / "pareto.csv"
        return pd.read_csv(path) if path.exists() else None

    @cached_property
    def models(self) -> Models:
        """The trained models of the last round and the first seed, by the surrogate's name."""
        return self.models_of()

    def models_of(self, round: int = -1, seed: int | None = None) -> Models:
        """Return the trained models of a round (-1 is the last) and a seed (the first where none is given).

        Raises StudyError where there is none.
        """
        rounds = _numbered(self.folder, "round")
        found = rounds[max(rounds)] if round == -1 and rounds else rounds.get(round)
        seeds = _numbered(found, "seed") if found else {}
        chosen = seeds[min(seeds)] if seed is None and seeds else seeds.get(seed if seed is not None else -1)
        if chosen is None:
            raise StudyError(f"{self.folder}: no models of round {round}, seed {'any' if seed is None else seed}")
        return Models(chosen)

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / "report.html"

    def _parquet(self, name: str) -> pd.DataFrame | None:
        path = self.folder / name
        return pd.read_parquet(path) if path.exists() else None


def read(folder: str | Path) -> Results:
    """Return the results in a study's folder. Raises StudyError where there are none."""
    folder = Path(folder)
    if not (folder / "summary.csv").exists():
        beside = [p.parent.name for p in folder.parent.glob("*/summary.csv")]
        raise StudyError(f"{folder}: no finished results{did_you_mean(folder.name, beside)}")
    return Results(folder)


def _model(folder: Path, name: str) -> Model:
    about: dict[str, Any] = read_json(folder / "surrogates" / name / "surrogate.json")
    split = read_json(folder / "split.json")
    known = RowSummary.from_dict(split)
    space = of_rows({"inputs": split.get("categories", {})}, known).space
    surrogate = kept(about["kind"], folder / "surrogates" / name / "model", f"model '{name}'")
    intervals = Intervals.from_dict(about["intervals"])
    return Model(name, about["kind"], space, known.outputs, about["level"], surrogate, intervals)


def _numbered(folder: Path, kind: str) -> dict[int, Path]:
    """Return the folders round0, round1, ... or seed0, ... by their number."""
    found = {p.name.removeprefix(kind): p for p in folder.glob(f"{kind}*") if p.is_dir()}
    return {int(number): path for number, path in found.items() if number.isdecimal()}
