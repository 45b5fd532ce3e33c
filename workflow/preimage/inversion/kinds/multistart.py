"""Inverter `multistart`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from preimage.inversion.base import Inverter, Target
from preimage.support.frozen import Maybe, Whole, option


class Multistart(Inverter):
    """Local search from many starts (scipy)."""

    kind: ClassVar[str] = "multistart"
    follows_slopes: ClassVar[bool] = True
    finds_fronts: ClassVar[bool] = True
    # scipy's methods that hold linear constraints.
    hold_constraints: ClassVar[tuple[str, ...]] = ("SLSQP", "trust-constr")

    starts: Whole = option(20, "Starts; each is a row.", ge=1, le=1_000_000)
    points: Whole = option(
        20, "Points of the front to search for, for a trade-off (`pareto`); each from so many starts.", ge=2, le=10_000
    )
    gradient: Maybe[Literal["exact", "2-point", "3-point", "cs"]] = option(
        None,
        "How to compute derivatives: the model's own, finite differences, or a complex step (`cs`, on a "
        "simulator that supports complex numbers). Default: `exact` if the model has exact gradients, "
        "`3-point` otherwise.",
    )
    method: Maybe[Literal["L-BFGS-B", "SLSQP", "trust-constr", "Nelder-Mead", "Powell", "TNC"]] = option(
        None, "scipy's method. Default: `L-BFGS-B`; with constraints, or limits of outputs, `SLSQP`."
    )
    discrete: Literal["round", "enumerate"] = option(
        "round",
        "Integers and categories: `round` relaxes integers, rounds them and repeats the search with them "
        "fixed, while a category keeps its value at the start; `enumerate` searches every combination (at "
        "most 1,000) from every start and keeps the best.",
    )
    engine: Literal["scipy", "batched"] = option(
        "scipy",
        "`batched`: all starts at once in one compiled program, on models with exact gradients; for a "
        "fit, by least squares (Levenberg-Marquardt).",
    )
    steps: Whole = option(
        1,
        "For a fit with the engine `batched`: Runge-Kutta steps between rows during the search; an "
        "adaptive solver polishes the best.",
        ge=1,
        le=1000,
    )
    scatter: Whole = option(
        1,
        "Number of jobs that share the starts. It changes the table only by the rounding of models that "
        "predict many rows at once.",
        ge=1,
        le=1000,
    )
    start_from: Maybe[Literal["best_rows", "latin_hypercube", "uniform"]] = option(
        None,
        "Where starts lie: at the training rows nearest to the objective (default on surrogates), or "
        "spread over the space (default `latin_hypercube` on simulators). Default for fits: half of them "
        "over the box, half over its orders of magnitude; with `engine: batched` each is the most "
        "promising of several after some iterations.",
    )

    @field_validator("scatter")
    @classmethod
    def _check_scatter(cls, scatter: int, info: ValidationInfo) -> int:
        if scatter > (starts := info.data.get("starts", scatter)):
            raise PydanticCustomError("scatter", f"found {scatter}, expected at most its {starts} starts")
        return scatter

    def refusal(self, target: Target) -> str:
        """Return why it can't work on a target; "" where it can."""
        exact = target.gradient or target.traceable
        if self.gradient == "exact" and not exact:
            return "it has no exact gradient; use 2-point or 3-point"
        if self.engine == "batched" and not exact:
            return "engine 'batched' requires exact gradients, which neural networks and Gaussian processes have"
        if self.gradient == "cs" and not target.complex_safe:
            return "it may not support complex numbers; use 2-point or 3-point"
        return super().refusal(target)

    def clash(self, constrained: bool) -> tuple[str, str] | None:
        """Return a method of scipy's that can't hold the constraints there are."""
        if constrained and self.method and self.method not in self.hold_constraints:
            others = " or ".join(self.hold_constraints)
            return "method", f"{self.method} supports neither constraints nor limits of outputs; use {others}"
        return None
