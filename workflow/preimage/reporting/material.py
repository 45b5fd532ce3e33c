"""What the report of a study is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from preimage.core.formulas import NONE, Formulas
from preimage.core.objective import Objective
from preimage.core.space import Space


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    Attributes:
        study: the study as checked, with its defaults.
        summary, best_of, candidates, timings: the study's tables.
        rounds: what each round has bought (see `preimage.evidence.by_round`); empty without rounds.
        solutions: the distinct solutions of the first seed, the recommended one first.
        preimages: boxes of the whole preimages of the first seed, by (surrogate, objective).
        evidence: findings of the first seed.
        diagnosis: what may spoil the answers (see `preimage.evidence.findings`); empty where nothing was asked.
        objectives: by name.
        ranges: training range by input.
        surrogates: what training wrote of each.
        figures: {file, title, caption, objective, svg} each.
        records: of every step.
        warnings: of the data and the wishes.
        learned: by surrogate that inverts a decoder, what there is to show of it; `line` and `line_times` what learning
            a line by inversion gives.
        next_experiments: files of the experiments to run next.
        live: what the live part evaluates (see `preimage.evidence.live`); nothing where there is no live part.
        outputs: those that models predict, `formulas` those that follow from them and the inputs.
        fits: by objective that is a fit, its tables and findings; `fit_times` milliseconds of its derivatives.
    """

    study: Mapping[str, Any]
    summary: pd.DataFrame
    best_of: pd.DataFrame
    rounds: pd.DataFrame
    candidates: pd.DataFrame
    timings: pd.DataFrame
    solutions: pd.DataFrame
    preimages: Mapping[tuple[str, str], pd.DataFrame]
    evidence: Mapping[str, Any]
    objectives: Mapping[str, Objective]
    space: Space
    units: Mapping[str, str]
    ranges: Mapping[str, tuple[float, float]]
    surrogates: Mapping[str, Mapping[str, Any]]
    figures: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]]
    warnings: Sequence[str]
    versions: Mapping[str, str]
    fits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fit_times: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    learned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    line: Mapping[str, Any] = field(default_factory=dict)
    line_times: Mapping[str, float] = field(default_factory=dict)
    diagnosis: pd.DataFrame = field(default_factory=pd.DataFrame)
    next_experiments: Sequence[str] = ()
    live: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    formulas: Formulas = NONE
