"""What the figures of a study are drawn from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import inputs_of
from preimage.core.certificates import Certificate
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.figures import style
from preimage.problems.loading import Problem


@dataclass(frozen=True)
class Material:
    """What the figures of a study are drawn from.

    Attributes:
        train, test: points (n, d) and outputs (n, m) of the rows.
        formulas: those of `outputs` that are formulas, which models were not trained on.
        measured: whether the rows were measured, rather than simulated.
        tests: by surrogate, the predictions of the test rows with their intervals.
        simulator: None where there is only a table.
        best_of: r_T of tables of targets (see `preimage.evidence.best_of`), over every seed.
        preimages: boxes of whole preimages by (surrogate, objective), see `preimage.trees.preimage`.
        fits: by objective that is a fit, its tables and findings (`preimage.calibration.judge`).
        learned: by surrogate that predicts by inverting a decoder, what there is to show of it (`preimage.learning`).
        line: what learning a line by inversion gives (`preimage.learning.line`), where that is the study's problem.
        curves: by surrogate the losses of its training, a row an epoch; none where training has no epochs.
        proofs: what was proven of trade-offs, by objective and surrogate.
        rounds: what each round has bought (see `preimage.evidence.by_round`), over every seed; empty without rounds.
        calls: of the simulator, at most; None where there is no budget.
    """

    space: Space
    outputs: list[str]
    units: Mapping[str, str]
    objectives: Mapping[str, Objective]
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    measured: bool
    tests: Mapping[str, pd.DataFrame]
    candidates: pd.DataFrame
    solutions: pd.DataFrame
    simulator: Problem | None = None
    best_of: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    rounds: pd.DataFrame = field(default_factory=pd.DataFrame)
    preimages: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    proofs: Mapping[str, Mapping[str, Sequence[Certificate]]] = field(default_factory=dict)
    fits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    learned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    line: Mapping[str, Any] = field(default_factory=dict)
    baselines: Collection[str] = ()
    calls: int | None = None
    formulas: Collection[str] = ()

    @cached_property
    def looks(self) -> dict[str, style.Look]:
        return style.looks(self.candidates["inverter"], self.baselines)

    @property
    def trained(self) -> list[str]:
        """The outputs that models were trained on."""
        return [o for o in self.outputs if o not in self.formulas]

    @cached_property
    def input_labels(self) -> list[str]:
        return [style.label(i.name, i.unit) for i in self.space.inputs]

    @cached_property
    def output_labels(self) -> list[str]:
        return [self.output_label(o) for o in self.outputs]

    def output_label(self, name: str) -> str:
        return style.label(name, self.units.get(name, ""))

    @property
    def plane(self) -> bool:
        """Whether there are two inputs, and both are numbers."""
        return len(self.space.inputs) == 2 and not any(i.categories for i in self.space.inputs)

    def cases(self, objective: str) -> dict[tuple[str, str], pd.DataFrame]:
        """Return the candidates of an objective by (surrogate, inverter), in the order they were looked for."""
        mine = self.candidates[self.candidates["objective"] == objective]
        grouped = mine.groupby(["surrogate", "inverter"], sort=False)
        return {(str(s), str(i)): part.sort_values("start") for (s, i), part in grouped}

    def solved(self, surrogate: str, objective: str) -> pd.DataFrame:
        """Return the distinct solutions of an objective on a surrogate, the recommended one first."""
        found = self.solutions[self.solutions["predicted_loss"].notna()]
        return found[(found["surrogate"] == surrogate) & (found["objective"] == objective)]

    def places(self, frame: pd.DataFrame) -> list[int]:
        """Return the places of candidates in their table; none where some are not in it."""
        names = ["surrogate", "objective", "inverter", "start"]
        known = {key: k for k, key in enumerate(zip(*(self.candidates[n] for n in names), strict=True))}
        found = [known.get(key) for key in zip(*(frame[n] for n in names), strict=True)]
        return [] if None in found else [k for k in found if k is not None]

    def points(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the points (k, d) of candidates that have one."""
        part = frame[frame["predicted_loss"].notna()]
        return self.space.encode(inputs_of(part, self.space))
