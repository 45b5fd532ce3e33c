"""Learning by inversion: the way of a prediction, training with truncated predictions, the memory of derivatives, what
noise does, and the decoder that was learned."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.figures.style import (
    BLUE,
    DASHES,
    INK,
    MARKERS,
    PALETTE,
    VERMILLION,
    legend,
    log_axis,
    number,
    panels,
    styled,
)


@styled
def prediction_course(course: pd.DataFrame, slope: float, intercept: float, x: float) -> Figure:
    """Draw the loss over y with the way (columns step, y, loss) that leads to the y behind an observation x."""
    figure, (over, by) = panels(2, 3.0)
    way = course["y"].to_numpy()
    span = max(np.abs(way - (x - intercept) / slope).max(), 1e-3) * 1.15
    y = (x - intercept) / slope + np.linspace(-span, span, 201)
    over.plot(y, (x - slope * y - intercept) ** 2, color=INK, lw=1)
    over.plot(way, course["loss"], "o-", color=BLUE, ms=4, mew=0, lw=0.8)
    over.plot(way[-1], course["loss"].iloc[-1], "*", color=VERMILLION, ms=11, mew=0, zorder=4)
    over.set(xlabel="y", ylabel="squared distance from x", title=f"loss over y, for x = {number(x)}")
    by.plot(course["step"], course["loss"], "o-", color=BLUE, ms=4, mew=0, lw=0.8)
    log_axis(by.yaxis)
    by.set(xlabel="step", title="loss by step")
    figure.set_label(
        f"A prediction by gradient descent: from y = {way[0]:.3g} to {way[-1]:.5g} in {len(way) - 1} steps."
    )
    return figure


@styled
def training_courses(courses: pd.DataFrame, slope: float, intercept: float) -> Figure:
    """Draw how far (a, b) is from the truth by iteration, a line a way of training."""
    figure, (axes,) = panels(1, 3.4)
    lines = {}
    for k, (way, part) in enumerate(courses.groupby("way", sort=False)):
        error = np.maximum((part["a"] - slope).abs(), (part["b"] - intercept).abs())
        (lines[str(way)],) = axes.plot(
            part["iteration"], error.clip(lower=1e-16), color=PALETTE[k], lw=1.5, ls=DASHES[k % len(DASHES)]
        )
    log_axis(axes.yaxis)
    axes.set(xlabel="iteration", ylabel="error of a or b, the larger")
    legend(figure, list(lines.values()), list(lines))
    figure.set_label(f"Error of the parameters by iteration of training: {', '.join(lines)}.")
    return figure


@styled
def derivative_memory(cost: pd.DataFrame) -> Figure:
    """Draw the working memory of a gradient by inner steps, unrolled and implicit."""
    figure, (axes,) = panels(1, 3.2)
    lines = {}
    for k, (way, part) in enumerate(cost.groupby("gradient", sort=False)):
        (lines[str(way)],) = axes.plot(part["steps"], part["megabytes"], "-", marker=MARKERS[k], color=PALETTE[k], ms=5)
    log_axis(axes.xaxis)
    log_axis(axes.yaxis)
    axes.set(xlabel="steps of the inner problem", ylabel="working memory (MB)")
    legend(figure, list(lines.values()), list(lines))
    ends = {way: part["megabytes"].iloc[-1] for way, part in cost.groupby("gradient")}
    figure.set_label("Working memory of one gradient: " + ", ".join(f"{k} {v:.3g} MB" for k, v in ends.items()) + ".")
    return figure


@styled
def noise_effects(noise: pd.DataFrame) -> Figure:
    """Draw bias of a (with quartiles) and the loss floor against noise, on x and on y."""
    figure, axes = panels(4, 2.7, sharex=True)
    lines = {}
    for column, (on, part) in enumerate(noise.groupby("on", sort=False)):
        bias, floor = axes[column], axes[2 + column]
        for k, (way, mine) in enumerate(part.groupby("way", sort=False)):
            shift = mine["deviation"] + 0.02 * (2 * k - 1)
            half = mine["spread_a"] / 2
            bias.errorbar(shift, mine["bias_a"], half, color=PALETTE[k], marker=MARKERS[k], ms=4, lw=1.2, capsize=2)
            (lines[str(way)],) = floor.plot(
                mine["deviation"], mine["floor"], color=PALETTE[k], marker=MARKERS[k], ms=4, lw=1.2
            )
        bias.axhline(0, color=INK, lw=0.8, ls=":")
        bias.set_title(f"noise on {on}")
        floor.set_xlabel(f"standard deviation of the noise on {on}")
    axes[0].set_ylabel("bias of a, and half its spread")
    axes[2].set_ylabel("smallest loss a pair")
    legend(figure, list(lines.values()), list(lines))
    figure.set_label(
        "Bias of the slope and the loss floor against noise on x and on y, by inversion and least squares."
    )
    return figure


@styled
def decoder_values(
    decoder: pd.DataFrame, rows: pd.DataFrame, labels: list[str], latent: str, truth: np.ndarray | None
) -> Figure:
    """Draw the decoder over its latent, a panel an input (six at most), among the rows; `truth` (n, D) is exact."""
    seen = [c for c in decoder if c.startswith("seen.")][:6]
    figure, axes = panels(len(seen), 3.2)
    handles = {}
    for j, (panel, column) in enumerate(zip(axes, seen, strict=False)):
        (handles["training rows"],) = panel.plot(
            rows["latent"], rows[column], "o", color=INK, ms=3, mew=0, alpha=0.5, ls="none"
        )
        (handles["decoder"],) = panel.plot(decoder["latent"], decoder[column], color=BLUE, lw=2)
        if truth is not None:
            (handles["truth"],) = panel.plot(decoder["latent"], truth[:, j], color=VERMILLION, lw=1.2, ls="--")
        panel.set(xlabel=latent, ylabel=labels[j])
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(f"What the decoder makes of {latent}: {', '.join(labels)}.")
    return figure
