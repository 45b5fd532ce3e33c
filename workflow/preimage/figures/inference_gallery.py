"""Which figures a study of inference gets, in which order, and what to say beside each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from preimage.figures import style
from preimage.figures.coverage_curves import coverage_curves
from preimage.figures.error_boxes import error_boxes
from preimage.figures.posterior_pairs import posterior_pairs
from preimage.figures.predictive_overlay import predictive_overlay
from preimage.figures.proposal_path import Way, proposal_path
from preimage.figures.rank_differences import rank_differences
from preimage.figures.shown import Shown
from preimage.inference.checks.comparison import compared, shared


@dataclass(frozen=True)
class Material:
    """What the figures of a study of inference are drawn from, all of its first seed.

    Attributes:
        parameters, derived, coordinates: names.
        units: by name.
        observations: names of the observed sets.
        x: observed samples (sets, n, D).
        theta: true parameters (sets, d), None where they are not known.
        prior: draws of it (m, d).
        draws: by method, for each shown observation draws of equal weight (k, d); empty where there is no answer.
        ways: by method, for each shown observation the means and sds of its proposals, or None.
        shown: by method, samples simulated for figures (`preimage.inference.judge.shown`).
        sets: by method, a row a fresh set (`preimage.inference.judge.fresh`).
    """

    parameters: Sequence[str]
    derived: Sequence[str]
    coordinates: Sequence[str]
    units: Mapping[str, str]
    observations: Sequence[Any]
    x: np.ndarray
    theta: np.ndarray | None
    prior: np.ndarray
    draws: Mapping[str, Sequence[np.ndarray]]
    ways: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray] | None]]
    shown: Mapping[str, Mapping[str, np.ndarray]]
    sets: Mapping[str, pd.DataFrame]
    ablations: Collection[str] = ()

    @cached_property
    def looks(self) -> dict[str, style.Look]:
        return style.looks(self.sets)

    def labels(self, names: Sequence[str]) -> list[str]:
        return [style.label(n, self.units.get(n, "")) for n in names]

    def truth(self, k: int) -> np.ndarray | None:
        return None if self.theta is None else self.theta[k]


def plan(material: Material) -> Iterator[Shown]:
    """Yield the figures, those of the observed sets first."""
    for k in range(len(next(iter(material.draws.values())))):
        yield from _of_observation(material, k)
    yield from _of_fresh_sets(material)


def _of_observation(m: Material, k: int) -> Iterator[Shown]:
    name = m.observations[k]
    draws = {method: found[k] for method, found in m.draws.items()}
    yield Shown(
        f"posterior_{k}.svg",
        f"Posterior given observation {name}",
        "Marginal distribution of each parameter, and contours that hold 50 % and 90 % of the draws of each pair. "
        "Methods "
        "that give a point estimate appear as lines or marks.",
        None,
        partial(posterior_pairs, draws, m.prior, m.labels(m.parameters), m.truth(k), m.looks),
    )
    simulated = {method: s[f"predictive.{k}"] for method, s in m.shown.items() if f"predictive.{k}" in s}
    yield Shown(
        f"predictive_{k}.svg",
        f"Posterior predictive check of observation {name}",
        "Observed samples beside samples simulated at draws from each answer. If they differ, the answer or the "
        "simulator "
        "is wrong.",
        None,
        partial(predictive_overlay, m.x[k], simulated, m.labels(m.coordinates), m.looks),
    )
    yield Shown(
        f"path_{k}.svg",
        f"Optimisation path of the proposals for observation {name}",
        "Left: up to six proposals along the path, mean and two standard deviations, before truncation to the prior. "
        "Right: samples simulated at their means. An untrained network is shown beside the trained one.",
        None,
        partial(
            proposal_path,
            _ways(m, k),
            m.x[k][:, 0],
            m.prior,
            m.truth(k),
            m.labels(m.parameters),
            m.labels(m.coordinates)[0],
        ),
    )


def _ways(m: Material, k: int) -> dict[str, Way]:
    """Return the ways of those methods whose proposals went more than one step, those of networks before training too;
    not those of methods that are there to say what simulations are worth."""
    found = {}
    for method, ways in m.ways.items():
        way, shown = ways[k], m.shown[method]
        if way is None or f"way.{k}" not in shown or len(way[0]) < 2 or method in m.ablations:
            continue
        if f"untrained.{k}" in shown:
            before = [shown[f"{key}.{k}"] for key in ("untrained_mean", "untrained_sd", "untrained")]
            found[f"{method}, untrained"] = Way(before[0], before[1], before[2][:, :, 0])
        found[method] = Way(way[0], way[1], shown[f"way.{k}"][:, :, 0])
    return found


def _of_problems(common: int, few: bool) -> str:
    """Return which fresh problems errors are of."""
    same = f"Of the same {common} fresh problems, whose parameters were drawn from the prior. " if common else ""
    return same + (
        "Methods with a number were run on, or answered, only that many: do not compare them closely. " if few else ""
    )


def _of_fresh_sets(m: Material) -> Iterator[Shown]:
    asked = {method: t for method, t in m.sets.items() if len(t)}
    for name in [*m.derived, *m.parameters] if asked else []:
        errors = compared(
            {
                method: (t[f"mean.{name}"].astype(float) - t[f"true.{name}"]).abs().to_numpy()
                for method, t in asked.items()
            }
        )
        values = {method: c.values for method, c in errors.items()}
        few = {method: f"on {len(c.values)}" for method, c in errors.items() if len(c.values) and not c.shared}
        yield Shown(
            f"errors_{name}.svg",
            f"Errors of {style.label(name)}",
            _of_problems(shared(errors), bool(few))
            + "Posterior mean, or point estimate, less the true value. Boxes show "
            "quartiles, whiskers the 5 % and 95 % quantiles.",
            None,
            partial(error_boxes, values, style.label(name, m.units.get(name, "")), m.looks, few),
        )
    levels = {method: t["level"].dropna().to_numpy(float) for method, t in m.sets.items() if "level" in t}
    yield Shown(
        "coverage.svg",
        "Expected coverage",
        "Share of true parameters within the credible region of each mass, over fresh problems. Below the diagonal the "
        "answers are too narrow. The band is for the method with the fewest problems.",
        None,
        partial(coverage_curves, levels, m.looks),
    )
    near = {method: t["tarp"].dropna().to_numpy(float) for method, t in m.sets.items() if "tarp" in t}
    yield Shown(
        "tarp.svg",
        "Expected coverage around random reference points (TARP)",
        "Tests all parameters jointly and needs only draws; answers that ignore the samples fail it.",
        None,
        partial(coverage_curves, near, m.looks),
    )
    ranks = {
        method: t[[c for c in t if c.startswith("rank.")]].dropna() for method, t in m.sets.items() if "level" in t
    }
    if ranks:
        columns = list(next(iter(ranks.values())))
        yield Shown(
            "ranks.svg",
            "Ranks of true parameters among their draws (simulation-based calibration)",
            "Answers are wrong outside the band: a slope is a bias, an S shape means too narrow or too wide.",
            None,
            partial(
                rank_differences,
                {method: t.to_numpy(float) for method, t in ranks.items()},
                [c.removeprefix("rank.").replace("_", " ") for c in columns],
                m.looks,
            ),
        )
