"""The table of candidates: what was proposed, what the surrogate says of it, and what is true.

One row a start or trial kept, over every round, seed, surrogate, objective and inverter of a study.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.space import Space

KEYS = ["problem", "round", "seed", "surrogate", "objective", "inverter", "start", "rank", "true_rank"]
# A candidate is in the domain where its domain score is at most this.
DOMAIN_LIMIT = 0.95
CASE = ["round", "seed", "surrogate", "objective", "inverter"]
# By how much a candidate misses the limits of its objective, by prediction and in truth; in studies that have limits.
VIOLATIONS = ("violation", "simulated_violation")
# Of objectives of inputs that vary: the share of production that meets values, or what a tenth of it is worse than.
PRODUCTION = ("share_met", "worst")
# Columns that only some studies have: with limits, with `closest_to` (the distance to what is to be near, and how many
# inputs differ from it), and with `variation`. Those in `JUDGED` are by prediction, and with the prefix `simulated_` in
# truth.
JUDGED = ("violation", *PRODUCTION)
# Why a candidate has no truth though there is a simulator: only in tables of which one lacks it.
UNTRUE = "simulated_message"
FURTHER = ("violation", "distance", "changed", *PRODUCTION, UNTRUE)
NOT_RUN = "not run: the study's budget of simulations is spent"
# How likely a candidate is to come out as wanted, with an interval, and the loss to be expected.
CHANCE = ("chance", "chance_low", "chance_high", "expected_loss")
# ok: a point that satisfies bounds and constraints, and of a search that a rule can judge (`multistart`, `cmaes`,
# `neural_adjoint`), one that reaches the target or is a minimum in any unit (`preimage.inversion.ending`);
# not_converged: a valid point that is neither, or where the loss is flat; failed: the start raised or gave no number;
# no_answer: the method has none to give; rejected: a point that a committee leaves out, for the reason in the message.
STATUSES = ("ok", "not_converged", "failed", "no_answer", "rejected")


def columns(inputs: Sequence[str], outputs: Sequence[str], further: Collection[str] = ()) -> list[str]:
    """Return the table's columns in order.

    Args:
        further: those of `FURTHER` that the study's objectives need.
    """
    return [
        *KEYS,
        *(f"x.{i}" for i in inputs),
        *(f"predicted.{o}" for o in outputs),
        "predicted_loss",
        *(name for name in FURTHER if name in further and name != UNTRUE),
        *(f"simulated.{o}" for o in outputs),
        "simulated_loss",
        *(f"simulated_{name}" for name in JUDGED if name in further),
        *([UNTRUE] if UNTRUE in further else []),
        *(f"interval_low.{o}" for o in outputs),
        *(f"interval_high.{o}" for o in outputs),
        *CHANCE,
        "in_domain",
        "domain_score",
        "evaluations",
        "status",
        "message",
    ]


def typed(frame: pd.DataFrame, inputs: Sequence[str], outputs: Sequence[str]) -> pd.DataFrame:
    """Return the frame with every column of the table, in order and with its type; what is missing is null."""
    further = further_of(frame)
    frame = frame.reindex(columns=columns(inputs, outputs, further))
    if VIOLATIONS[0] in further:
        # Other objectives of the study have none.
        for kind, loss in zip(VIOLATIONS, ("predicted_loss", "simulated_loss"), strict=True):
            frame[kind] = frame[kind].fillna(0.0).where(frame[loss].notna())
    types: dict[str, Any] = {
        **dict.fromkeys(["problem", "surrogate", "objective", "inverter", "status", "message"], "str"),
        **dict.fromkeys({UNTRUE} & set(further), "str"),
        **dict.fromkeys(["round", "seed", "start", "evaluations"], "int64"),
        **dict.fromkeys(["rank", "true_rank", *({"changed"} & set(further))], "Int64"),
        "in_domain": "boolean",
    }
    floats = [c for c in frame if c not in types and not c.startswith("x.")]
    return frame.astype({**types, **dict.fromkeys(floats, "float64")})


def further_of(frame: pd.DataFrame) -> list[str]:
    """Return those of the columns that only some studies have which a table has."""
    return [name for name in FURTHER if name in frame]


def outputs_in(frame: pd.DataFrame) -> list[str]:
    """Return the outputs that a table of candidates has predictions of, in order."""
    return [c.removeprefix("predicted.") for c in frame if c.startswith("predicted.")]


def inputs_of(frame: pd.DataFrame, space: Space) -> pd.DataFrame:
    """Return the inputs of candidates under their own names, which may be those of other columns (`start`, say)."""
    return frame[["x." + n for n in space.names]].set_axis(space.names, axis=1)


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame as it may be opened in a spreadsheet: a text that would be a formula there gets an apostrophe in
    front (https://owasp.org/www-community/attacks/CSV_Injection); numbers, also as text, stay."""

    def plain(value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
            return value
        return value if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value) else f"'{value}"

    texts = [c for c in frame if not pd.api.types.is_numeric_dtype(frame[c])]
    return frame.assign(**{c: frame[c].map(plain, na_action="ignore") for c in texts})


def ranked(loss: pd.Series, by: Sequence[pd.Series], violation: pd.Series | None = None) -> pd.Series:
    """Return ranks from 1 within groups, smallest loss first, equal losses in order of rows; null for a null loss.

    Args:
        violation: of limits, by which rows come before they do by their loss.
    """
    if violation is not None:
        order = np.lexsort((loss, violation))
        loss = pd.Series(np.argsort(order).astype(float), loss.index).where(loss.notna())
    return loss.groupby(list(by), sort=False).rank(method="first").astype("Int64")


def missed(frame: pd.DataFrame, prefix: str = "") -> pd.Series:
    """Return by how much candidates miss the limits of their objective by prediction, or with the prefix `simulated_`
    in truth: 0 in a study without limits."""
    return frame[f"{prefix}violation"] if f"{prefix}violation" in frame else pd.Series(0.0, frame.index)


def best_first(frame: pd.DataFrame, *then: str) -> pd.DataFrame:
    """Return candidates in the order in which they are to be preferred by prediction: what keeps the limits first, by
    its loss, and what is equal by further columns."""
    limited = ["violation"] if "violation" in frame else []
    return frame.sort_values([*limited, "predicted_loss", *then], kind="stable")


def least_losses(frame: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    """Return the smallest predicted loss of candidates that keep the limits, by group; NaN where none does."""
    return frame["predicted_loss"].where(missed(frame) == 0).groupby([frame[c] for c in by], sort=False).min()


def schema(inputs: Mapping[str, bool], outputs: Sequence[str], further: Collection[str] = ()) -> Any:
    """Return the pandera schema of the table.

    Args:
        inputs: by input, whether it is a category (a string column rather than a float one).
        further: see `columns`.
    """
    import pandera.pandas as pa

    number: Any = {"dtype": "float64", "nullable": True}
    finite = pa.Check(lambda s: ~np.isinf(s), error="infinite")
    cols = {
        "problem": pa.Column("str"),
        "round": pa.Column("int64", pa.Check.ge(0)),
        "seed": pa.Column("int64", pa.Check.ge(0)),
        "surrogate": pa.Column("str"),
        "objective": pa.Column("str"),
        "inverter": pa.Column("str"),
        "start": pa.Column("int64", pa.Check.ge(0)),
        "rank": pa.Column("Int64", pa.Check.ge(1), nullable=True),
        "true_rank": pa.Column("Int64", pa.Check.ge(1), nullable=True),
        **{
            f"x.{i}": pa.Column("str", nullable=True) if c else pa.Column(checks=finite, **number)
            for i, c in inputs.items()
        },
        **{f"{p}.{o}": pa.Column(checks=finite, **number) for p in ("predicted", "simulated") for o in outputs},
        "predicted_loss": pa.Column(checks=finite, **number),
        **{name: pa.Column(checks=[finite, pa.Check.ge(0)], **number) for name in (*VIOLATIONS, "distance")},
        "changed": pa.Column("Int64", pa.Check.ge(0), nullable=True),
        **{f"{of}{name}": pa.Column(checks=finite, **number) for of in ("", "simulated_") for name in PRODUCTION},
        "simulated_loss": pa.Column(checks=finite, **number),
        UNTRUE: pa.Column("str", nullable=True),
        **{f"{p}.{o}": pa.Column(**number) for p in ("interval_low", "interval_high") for o in outputs},
        **{name: pa.Column("float64", pa.Check.in_range(0, 1), nullable=True) for name in CHANCE[:3]},
        "expected_loss": pa.Column(checks=finite, **number),
        "in_domain": pa.Column("boolean", nullable=True),
        "domain_score": pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
        "evaluations": pa.Column("int64", pa.Check.ge(0)),
        "status": pa.Column("str", pa.Check.isin(STATUSES)),
        "message": pa.Column("str"),
    }
    needed = [*(f"x.{i}" for i in inputs), "predicted_loss"]
    has_point = pa.Check(
        lambda f: f["status"].isin(["failed", "no_answer", "rejected"]) | f[needed].notna().all(axis=1),
        error="a row that did not fail lacks an input or its predicted loss",
    )
    return pa.DataFrameSchema(
        {name: cols[name] for name in columns(list(inputs), outputs, further)},
        checks=has_point,
        unique=[*CASE, "start"],
        strict=True,
        ordered=True,
    )
