"""Inverter `certified`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Maybe, Number, Whole, option


class Certified(Inverter):
    """Branch and bound on a tree model, a Gaussian process or a neural network: proves the optimum, or that no solution
    exists."""

    kind: ClassVar[str] = "certified"
    needs_bounds: ClassVar[bool] = True
    finds_fronts: ClassVar[bool] = True
    takes_variation: ClassVar[bool] = False

    boxes: Whole = option(
        100_000,
        "Maximum number of boxes to expand; at this limit the answer has a proven bound and a gap. Where multipliers "
        "tighten the bounds of many trees, each of their steps counts as a box.",
        ge=1,
        le=1_000_000_000,
    )
    gap: Number = option(
        0,
        "Stop when the loss is proven to lie within this distance of the optimum, in the loss's unit; of a trade-off, "
        "when its front is proven to lack at most this share of the hypervolume (or the objective's `tolerance`). On "
        "Gaussian processes and neural networks the search stops at a millionth of the training rows' range at the "
        "latest; for a network of four inputs or more, ask for less: a hundredth of the range.",
        ge=0,
    )
    seconds: Maybe[Number] = option(
        None,
        "Time limit of the search in seconds; an answer that it cuts short is marked as not reproducible.",
        gt=0,
        le=10_000_000,
    )
    memory: Number = option(
        1000, "Megabytes for open boxes; near this limit the search continues depth-first.", ge=1, le=1_000_000
    )
    distance: Maybe[Number] = option(
        None,
        "Largest distance from the nearest training row, with inputs scaled to [0, 1] and different "
        "categories 1 apart: proves the best answer, or that none exists, near the data. Default: no "
        "limit.",
        gt=0,
        le=1000,
    )
    isolation: Maybe[Number] = option(
        None,
        "Largest anomaly score by an isolation forest of the training rows (scikit-learn's, 100 trees of "
        "256 rows; categories are one-hot encoded, and units have no effect): 0.5 is an ordinary row, "
        "nearer to 1 is more isolated. Proves the best answer, or that none exists, near the data. "
        "Default: no limit.",
        gt=0,
        le=1,
    )
    threads: Whole = option(
        2,
        "Cores per search, at most as many as Snakemake has. The answer does not depend on it, and a "
        "change reruns nothing.",
        ge=1,
        le=1000,
    )
    scatter: Whole = option(
        1,
        "Number of jobs that share the search: each has a part of the boxes, the same first point, and "
        "its share of `boxes`. The result depends on this number, not on cores or nodes.",
        ge=1,
        le=1000,
    )
    starts: Whole = option(
        8,
        "Starts of local searches: two find the first point, and all are followed where the search goes on for long; "
        "of a trade-off, times 400 evaluations of NSGA-II for the front that the search begins from.",
        ge=1,
        le=1_000_000,
    )

    @property
    def kept(self) -> int:
        return 2
