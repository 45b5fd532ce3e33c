"""What a report says of learning by inversion: of a line, where everything is known, and of classes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from preimage.reporting import words
from preimage.reporting.material import Material

SLOPE, INTERCEPT = 2.0, -4.0


def line(material: Material) -> dict[str, Any]:
    """Return what the template needs of the line; nothing where a study has none."""
    found = material.line
    if not found:
        return {}
    return {
        "ways": [_way(row) for row in found["ways"].to_dict("records")],
        "bias": _bias(found["ways"]),
        "gradients": [
            {"way": g["way"], "by_a": f"{g['by_a']:.9g}", "by_b": f"{g['by_b']:.9g}"}
            for g in found["findings"]["gradients"]
        ],
        "optimisers": _optimisers(found["optimisers"]),
        "cost": _cost(found["cost"], material.line_times),
        "cost_words": _cost_words(found["cost"]),
        "noise": [_noise(row) for row in found["noise"].to_dict("records")],
        "noise_words": _noise_words(found["noise"]),
    }


def _way(row: dict[str, Any]) -> dict[str, str]:
    return {
        "way": row["way"],
        "a": f"{row['a']:.5f}",
        "b": f"{row['b']:.5f}",
        "expected": f"{row['expected_a']:.5f}, {row['expected_b']:.5f}",
        "loss": f"{row['loss']:.1e}",
        "error": f"{row['error']:.1e}",
    }


def _bias(ways: pd.DataFrame) -> list[str]:
    """Return the truncation bias in words, from where the trainings ended."""
    mixed, long, short, exact = ways.to_dict("records")
    return [
        f"The first row is the classic setting, and something is hidden in it: its loss looks at predictions of 20 "
        f"steps, its derivative follows 10. The two do not belong together, and still it ends at a = {mixed['a']:.5f}, "
        f"b = {mixed['b']:.5f}: the loss can be made 0 there, so that the residuals which multiply the derivative "
        "vanish, and any derivative of the right sign leads there.",
        f"With 10 steps in both, loss and derivative agree, and the answer is worse: a = {short['a']:.5f}, "
        f"b = {short['b']:.5f}. The training has done what it was asked to: a prediction that stops early has gone "
        "only part of the way from its start to the solution, and the parameters make up for the rest, so that the "
        f"loss is {short['loss']:.0e} at parameters that are off by {short['error']:.2g}. This is truncation bias: the "
        "share of the way that is left after n steps is (1 - 2 alpha a\u00b2)\u207f, and the expected values follow "
        "from it in closed form. More steps shrink it; a better optimiser does not.",
        f"With predictions that run to the end and implicit derivatives it is gone: off by {exact['error']:.0e}. "
        f"(20 steps in both end where the first row does, at a = {long['a']:.5f}.)",
    ]


def _optimisers(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row a method: its best step width, and all others in brackets."""
    rows = []
    for method, part in table.groupby("method", sort=False):
        arrived = part[part["iterations"].notna()]
        best = arrived.sort_values("iterations").iloc[0] if len(arrived) else None
        rows.append(
            {
                "method": method,
                "width": words.NONE if best is None or len(part) == 1 else words.number(best["width"]),
                "iterations": words.NONE if best is None else words.number(best["iterations"]),
                "most": words.NONE if best is None else words.number(best["most"]),
                "all": ", ".join(
                    f"{words.number(r['width'])}: "
                    + (
                        f"{r['arrived']} of {r['starts']} arrive"
                        if pd.isna(r["iterations"])
                        else words.number(r["iterations"])
                    )
                    for r in part.to_dict("records")
                )
                if len(part) > 1
                else "it finds its own",
            }
        )
    return rows


def _cost(table: pd.DataFrame, times: Any) -> list[dict[str, Any]]:
    memory = table.pivot_table(index="steps", columns="gradient", values="megabytes")
    return [
        {
            "steps": steps,
            **{f"{way}_mb": f"{row[way]:.3g}" for way in ("unrolled", "implicit")},
            **{f"{way}_ms": words.number(times.get(f"{way}.{steps}")) for way in ("unrolled", "implicit")},
        }
        for steps, row in memory.iterrows()
    ]


def _cost_words(table: pd.DataFrame) -> str:
    memory = table.pivot_table(index="steps", columns="gradient", values="megabytes")
    first, last = memory.iloc[0], memory.iloc[-1]
    return (
        f"From {memory.index[0]} to {memory.index[-1]} steps, the working memory of an unrolled gradient grows "
        f"{last['unrolled'] / first['unrolled']:.0f} times; that of an implicit one goes from {first['implicit']:.2g} "
        f"to {last['implicit']:.2g} MB. Both take the time of the steps, the unrolled one that of "
        "going back through them too."
    )


def _noise(row: dict[str, Any]) -> dict[str, str]:
    numbers = {k: f"{row[k]:.3g}" for k in ("deviation", "bias_a", "spread_a", "bias_b", "spread_b", "floor")}
    return {"on": row["on"], "way": row["way"], **numbers}


def _noise_words(noise: pd.DataFrame) -> str:
    worst = noise[noise["deviation"] == noise["deviation"].max()].set_index(["on", "way"])
    x = worst.loc[("x", "inversion")]
    y = worst.loc[("y", "inversion")]
    plain_x, plain_y = (worst.loc[(on, "least squares of x on y")] for on in "xy")
    return (
        f"With noise of {x['deviation']:g} on x, inversion finds slopes that are too large by {x['bias_a']:.2g} in the "
        f"median, least squares by {plain_x['bias_a']:.2g}: inversion asks for small errors in y, so it regresses y on "
        "x, and noise in what is regressed on flattens that line, whose inverse is then too steep. With as much noise "
        f"on y it is the other way round: {y['bias_a']:.2g} and {plain_y['bias_a']:.2g}. Which to take is no matter of "
        "the optimiser but of where the noise is; neither loss can be brought below the floor that the noise makes: a "
        "loss well below it was learned by heart."
    )


def digits(material: Material) -> list[dict[str, Any]]:
    """Return what the template needs of each surrogate that classifies by inversion."""
    return [_classes(name, found) for name, found in material.learned.items() if "confusion" in found]


def _classes(name: str, found: Any) -> dict[str, Any]:
    said = found["findings"]
    counts = found["confusion"]
    wrong = [
        (int(row[c]), row["true"], c)
        for row in counts.to_dict("records")
        for c in said["classes"]
        if c != row["true"] and row[c]
    ]
    wrong.sort(key=lambda w: -w[0])
    meant = {
        "noise": "uniform noise",
        "shuffled": "test rows with their inputs shuffled",
        "rotated": "test rows turned by a quarter",
    }
    return {
        "name": name,
        "accuracy": f"{100 * said['accuracy']:.2f} %",
        "logistic": f"{100 * said['logistic_accuracy']:.2f} %",
        "wrong": said["wrong"],
        "test_rows": said["test_rows"],
        "mistaken": words.listing([f"{words.label(a)} for {words.label(b)} ({n})" for n, b, a in wrong[:5]]),
        "auc": [{"inputs": meant[k], "auc": f"{v:.4f}"} for k, v in said["auc"].items()],
    }
