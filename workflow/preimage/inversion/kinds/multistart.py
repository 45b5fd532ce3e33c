"""Inverter `multistart`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from preimage.inversion.base import Inverter
from preimage.support.frozen import Maybe, Whole, option


class Multistart(Inverter):
    """Local search from many starts (scipy)."""

    kind: ClassVar[str] = "multistart"

    starts: Whole = option(20, "Starts; each is a row.", ge=1, le=1_000_000)
    gradient: Maybe[Literal["exact", "2-point", "3-point", "cs"]] = option(
        None,
        "How derivatives are had: the model's own, finite differences, or a complex step (`cs`, on a "
        "simulator that computes with complex numbers). Default: `exact` where the model has it, `3-point` "
        "otherwise.",
    )
    method: Maybe[Literal["L-BFGS-B", "SLSQP", "trust-constr", "Nelder-Mead", "Powell", "TNC"]] = option(
        None, "scipy's method. Default: `L-BFGS-B`, `SLSQP` where there are constraints."
    )
    discrete: Literal["round", "enumerate"] = option(
        "round",
        "Integers and categories: `round` searches with integers as numbers, rounds them and searches again "
        "with them held, while a category stays what it was at the start; `enumerate` searches every "
        "combination (at most 1,000) from every start and keeps the best.",
    )
    engine: Literal["scipy", "batched"] = option(
        "scipy",
        "`batched`: all starts at once in one compiled program, on models with a gradient; for a fit by least"
        " squares (Levenberg-Marquardt).",
    )
    steps: Whole = option(
        1,
        "For a fit with the engine `batched`: Runge-Kutta steps between rows while it searches; the best are "
        "polished by an adaptive solver.",
        ge=1,
        le=1000,
    )
    scatter: Whole = option(
        1,
        "Jobs that share the starts, on as many cores or nodes. The table depends on this number alone, and "
        "by no more than the rounding of models that predict many rows at once.",
        ge=1,
        le=1000,
    )
    start_from: Maybe[Literal["best_rows", "latin_hypercube", "uniform"]] = option(
        None,
        "Where starts lie: the training rows nearest to the objective (default on surrogates), or spread over"
        " the space (default `latin_hypercube` on simulators). Default of fits: half of them over the box, "
        "half over its orders of magnitude; with `engine: batched` each is the most promising of several "
        "after some iterations.",
    )
