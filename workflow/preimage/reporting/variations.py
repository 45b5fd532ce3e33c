"""The page of a family of studies, in words and cells: what its table says of search and model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from preimage.reporting import words

# A difference of this share of a random input's loss is worth a word.
WORTH = 0.01
MOST = 6
QUESTION = ["study", "seed", "surrogate", "objective"]


def with_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose least possible loss is known, with columns on the scale from that (0) to a random input's
    loss (1).

    Columns: `true_share` of the answer; `search_share`, its predicted loss above the proven bound, or where there is
    none above the best found; `model_share`, the true share of the answer with the best prediction of all: what the
    model leaves to a perfect search.
    """
    table = table[table["least_loss"].notna() & table["predicted_loss"].notna()]
    unit = table["usual_loss"] - table["least_loss"]
    best = table["predicted_loss"] - table["optimizer_regret"]
    floor = table["certified_bound"].where(table["certified_bound"].notna(), best)
    table = table.assign(
        true_share=(table["simulated_loss"] - table["least_loss"]) / unit,
        search_share=(table["predicted_loss"] - floor).clip(lower=0) / unit,
    )
    best = table.loc[table.groupby(QUESTION)["predicted_loss"].idxmin()].set_index(QUESTION)["true_share"]
    return table.join(best.rename("model_share"), on=QUESTION)


def axes(table: pd.DataFrame, varied: Sequence[str]) -> tuple[str, str]:
    """Return the column that figures run along and the one that tells their panels apart."""
    if "dimension" in varied:
        return "dimension", "training_rows"
    return "training_rows", "surrogate"


def name_of(value: Any) -> str:
    """Return a number with its thousands apart, or a name as people read it."""
    return words.label(value) if isinstance(value, str) else f"{value:,}"


def noun(column: str) -> str:
    """Return what a column counts."""
    return {"dimension": "inputs", "samples": "samples"}.get(column, words.label(column))


def sentences(table: pd.DataFrame, x: str, by: str) -> list[str]:
    """Return what the table says: what the best search leaves, by panel; and where a better search was the worse."""
    said = []
    for value, part in table.groupby(by):
        best = part.loc[part.groupby(QUESTION)["predicted_loss"].idxmin()]
        first, last = (best[best[x] == end].median(numeric_only=True) for end in (part[x].min(), part[x].max()))
        said.append(
            f"{name_of(value)} {noun(by)}: with {int(first[x]):,} {noun(x)} the best search's answer is truly at "
            f"{words.share(first['true_share'])} of a random input's loss, with {int(last[x]):,} at "
            f"{words.share(last['true_share'])}, though that search stayed within "
            f"{words.share(last['search_share'])} of the model's own optimum.{_looked_up(part, x, int(last[x]))}"
        )
    return said + inversions(table, x, by)


def _looked_up(part: pd.DataFrame, x: str, at: int) -> str:
    """Return what the best row of the data gives, beside which every answer must stand."""
    rows = part[part["baseline"] & (part[x] == at)]
    return f" The best training row gives {words.share(rows['true_share'].median())}." if len(rows) else ""


def inversions(table: pd.DataFrame, x: str, by: str) -> list[str]:
    """Return where the answer nearest to the model's optimum was worse in truth than that of a search that stopped
    short of it."""
    found = []
    searched = table[~table["baseline"]]
    for (value, at, *_), part in searched.groupby([by, x, "surrogate", "objective"]):
        wins: dict[str, list[tuple[Any, Any]]] = {}
        for _, mine in part.groupby("seed"):
            best = mine.loc[mine["predicted_loss"].idxmin()]
            for _, other in mine.iterrows():
                if (
                    other["true_share"] < best["true_share"] - WORTH
                    and other["predicted_loss"] > best["predicted_loss"]
                ):
                    wins.setdefault(str(other["inverter"]), []).append((other, best))
        if wins:
            name, cases = max(wins.items(), key=lambda item: len(item[1]))
            seeds = part["seed"].nunique()
            where = f"With {at:,} {noun(x)} and {name_of(value)} {noun(by)}"
            often = f" (In {len(cases)} of {seeds} seeds.)" if seeds > 1 else ""
            found.append(where + _stopped_short(name, *cases[0]) + often)
    return found[:MOST]


def _stopped_short(name: str, other: Any, best: Any) -> str:
    short = other["predicted_loss"] - best["predicted_loss"]
    errors = [abs(float(row["surrogate_regret"])) for row in (other, best)]
    said = (
        f", {words.label(name)} ended {words.number(short)} above the best prediction, and was better in truth: "
        f"{words.number(other['simulated_loss'])} against {words.number(best['simulated_loss'])}."
    )
    if short < max(errors):
        wrong = " and ".join(words.number(e) for e in errors)
        said += f" At these two answers the model is wrong by {wrong}: it can't tell which is the better."
    return said


def rows(table: pd.DataFrame, varied: Sequence[str], x: str, by: str) -> list[dict[str, Any]]:
    """Return a row a case in cells: medians over the seeds."""
    out = []
    keys = [by, x, "study", "surrogate", "objective", "inverter"]
    for key, part in table.groupby(list(dict.fromkeys(keys)), sort=False):
        named = dict(zip(dict.fromkeys(keys), key, strict=True))
        middle = part.median(numeric_only=True)
        out.append(
            {
                **named,
                "x": name_of(named[x]),
                "by": name_of(named[by]),
                **{
                    c: words.number(middle[c])
                    for c in ("test_r2", "certified_bound", "predicted_loss", "simulated_loss", "distance", "seconds")
                },
                "search": words.number(part["search_regret"].median()),
                "model": words.number(middle["surrogate_regret"]),
                "seeds": len(part),
            }
        )
    return out


def context(study: str, table: pd.DataFrame, varied: Sequence[str], figures: Sequence[Any]) -> dict[str, Any]:
    """Return what the page's template takes."""
    shown = with_shares(table)
    x, by = axes(table, varied)
    searched = table.assign(
        search_regret=(table["predicted_loss"] - table["certified_bound"]).fillna(table["optimizer_regret"])
    )
    return {
        "study": study,
        "x": noun(x),
        "by": noun(by),
        "sentences": sentences(shown, x, by) if len(shown) else [],
        "rows": rows(searched, varied, x, by),
        "figures": figures,
        "cases": table["study"].nunique(),
        "seeds": table["seed"].nunique(),
    }
