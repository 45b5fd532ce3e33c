"""Models that predict by inverting a decoder, and a line learned by inversion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.figures import style
from preimage.figures.gallery.material import Material
from preimage.figures.learned import (
    decoder_values,
    derivative_memory,
    noise_effects,
    prediction_course,
    training_courses,
)
from preimage.figures.pictures import contact_sheet, residual_histograms
from preimage.figures.shown import Shown


def plan(m: Material) -> Iterator[Shown]:
    """Yield what shows how models learned by inversion, and what a line learned so teaches."""
    yield from _models(m)
    if m.line:
        yield from _line(m.line)


def _models(m: Material) -> Iterator[Shown]:
    for name, found in m.learned.items():
        if "decoder" in found:
            yield Shown(
                f"decoder.{name}.svg",
                f"{name}: the learned decoder of {m.input_labels[0]}",
                "The decoder that was learned, from the latent value to what is seen of it. Predictions invert this "
                "curve: where it is flat, the value behind an observation cannot be determined.",
                None,
                partial(_decoder, m, found),
            )
        if "residuals" in found:
            yield from _classes(name, found)


def _classes(name: str, found: Mapping[str, Any]) -> Iterator[Shown]:
    """Yield what shows classes by inversion: pictures where the inputs are such, and residuals."""
    if found["findings"]["side"]:
        yield Shown(
            f"explained.{name}.svg",
            f"{name}: test rows, and how their decoders explain them",
            "Above a row of each class as it is, below the picture nearest to it that its class's decoder can make.",
            None,
            partial(_explained, found),
        )
        yield Shown(
            f"walk.{name}.svg",
            f"{name}: a walk through the latent space",
            "What each class's decoder makes of latent values along the direction in which its rows differ most, from "
            "two deviations below their mean to two above. Every picture should still be of its class.",
            None,
            partial(_walk, found),
        )
    yield Shown(
        f"residuals.{name}.svg",
        f"{name}: inputs of no class",
        "The distance of an input from its best explanation. Inputs of no class should lie right of the test rows; "
        "where curves overlap, the residual cannot separate them.",
        None,
        partial(residual_histograms, found["residuals"]),
    )


def _pictures(table: pd.DataFrame, side: int) -> np.ndarray:
    return table[[f"x{j}" for j in range(side * side)]].to_numpy().reshape(-1, side, side)


def _explained(found: Mapping[str, Any]) -> Figure:
    said, table = found["findings"], found["explained"]
    kinds = dict(iter(table.groupby("kind", sort=False)))
    shown = [said["classes"][c].replace("_", " ") for c in kinds["row"]["label"]]
    sentence = f"A test row of each class and its explanation: {', '.join(shown)}."
    rows = [_pictures(part, said["side"]) for part in kinds.values()]
    return contact_sheet(rows, ["test row", "explained"], shown, _limits(found), sentence)


def _walk(found: Mapping[str, Any]) -> Figure:
    said, table = found["findings"], found["walk"]
    parts = dict(iter(table.groupby("label", sort=False)))
    steps = [style.number(s) for s in next(iter(parts.values()))["step"]]
    shown = [said["classes"][c].replace("_", " ") for c in parts]
    rows = [_pictures(part, said["side"]) for part in parts.values()]
    sentence = f"What decoders make of latent values along a line: {', '.join(shown)}."
    return contact_sheet(rows, shown, steps, _limits(found), sentence)


def _limits(found: Mapping[str, Any]) -> tuple[float, float]:
    """Return the range of the test rows shown: a decoder may leave it by a little."""
    table = found["explained"]
    shown = _pictures(table[table["kind"] == "row"], found["findings"]["side"])
    return float(shown.min()), float(shown.max())


def _decoder(m: Material, found: Mapping[str, Any]) -> Figure:
    latent, truth = found["decoder"]["latent"].to_numpy(), None
    if m.simulator is not None and m.simulator.name == "linear_latent":
        from preimage.problems.built_in.linear_latent import observed

        truth = observed(latent)[:, None]
    return decoder_values(found["decoder"], found["rows"], m.input_labels, m.output_labels[0], truth)


def _line(found: Mapping[str, Any]) -> Iterator[Shown]:
    from preimage.problems.built_in.linear_latent import INTERCEPT, SLOPE

    yield Shown(
        "prediction_course.svg",
        "A prediction is an inversion",
        "From a random y, gradient steps on the squared distance of a y + b from x = 0 go to the y that it was made "
        "from. Each step shortens the way to it by the same share.",
        None,
        partial(prediction_course, found["prediction"], SLOPE, INTERCEPT, 0.0),
    )
    yield Shown(
        "training_courses.svg",
        "Training with predictions that stop early",
        "A prediction of n steps is not quite there, and training makes parameters wrong by just what makes up for "
        "it. Only derivatives of the exact solution lead to the true line.",
        None,
        partial(training_courses, found["courses"], SLOPE, INTERCEPT),
    )
    yield Shown(
        "derivative_memory.svg",
        "What a derivative keeps in memory",
        "Unrolled derivatives keep every step of every row until they are used; implicit ones need the last point.",
        None,
        partial(derivative_memory, found["cost"]),
    )
    yield Shown(
        "noise_effects.svg",
        "What noise in the training pairs does",
        "Medians over drawn data sets, bars from quartile to quartile. Training by inversion measures errors in y: "
        "noise on y does it no harm, noise on x makes the line too steep, as least squares the other way round is not.",
        None,
        partial(noise_effects, found["noise"]),
    )
