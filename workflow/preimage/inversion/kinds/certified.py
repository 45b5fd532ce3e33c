"""Inverter `certified`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Maybe, Number, Whole, option


class Certified(Inverter):
    """Branch and bound on a model made of trees: the optimum or the answer that there is none, proven."""

    kind: ClassVar[str] = "certified"
    needs_trees: ClassVar[bool] = True

    boxes: Whole = option(
        100_000, "Most boxes to expand; at this limit the answer has a proven bound and a gap.", ge=1, le=1_000_000_000
    )
    gap: Number = option(0, "Stop where the loss is proven to be within this of the optimum, in the loss's unit.", ge=0)
    seconds: Maybe[Number] = option(
        None,
        "Most seconds for the search; an answer that this limit ends is marked as not reproducible.",
        gt=0,
        le=10_000_000,
    )
    memory: Number = option(
        1000, "Megabytes for open boxes; near that the search goes on depth-first.", ge=1, le=1_000_000
    )
    distance: Maybe[Number] = option(
        None,
        "Only inputs at most this far from the nearest training row, in inputs scaled to [0, 1] and distinct "
        "categories 1 apart: the best answer, or that there is none, where data is. Default: anywhere.",
        gt=0,
        le=1000,
    )
    isolation: Maybe[Number] = option(
        None,
        "Only inputs whose anomaly score, by an isolation forest of the training rows (scikit-learn's, 100 "
        "trees of 256 rows; each value of a category is a column of 0 and 1, and units play no part), is at "
        "most this: 0.5 is an ordinary row, nearer to 1 is more isolated. The best answer, or that there is "
        "none, where data is. Default: anywhere.",
        gt=0,
        le=1,
    )
    threads: Whole = option(
        2,
        "Cores that one search uses, at most as many as Snakemake was given. The answer does not depend on "
        "it, and nothing is run again when it changes.",
        ge=1,
        le=1000,
    )
    scatter: Whole = option(
        1,
        "Jobs that share the search: each has a part of the boxes, the same first point, and its share of "
        "`boxes`. What is found and proven depends on this number, not on cores or nodes.",
        ge=1,
        le=1000,
    )
    starts: Whole = option(8, "Starts of the line search that gives the first point.", ge=1, le=1_000_000)
