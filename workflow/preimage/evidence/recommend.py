"""Which answer to show first: chosen by what is known before the truth is looked at.

Among the candidates that the surrogate holds to be as good as asked (by any method), limits included, those inside the
domain come first. Of those, where values are to be met, the one with the best chance that they are, and of equal ones
the nearest to the data; where a direction is to be gone, the one with the least loss to be expected; where a committee
has judged, or the nearest change is asked for, the one with the smallest predicted loss. The truth plays no part: it
would be choosing by the answer key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from preimage.core.candidates import best_first, inputs_of, missed
from preimage.core.objective import Objective, Pareto
from preimage.core.space import Space
from preimage.evidence.clusters import clusters, places
from preimage.evidence.fronts import on_front
from preimage.evidence.summary import QUESTION, solutions

SHOWN = 12


def distinct_solutions(
    frame: pd.DataFrame,
    space: Space,
    objectives: dict[str, Objective],
    outputs: list[str],
    without_influence: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Return the distinct solutions of each (round, seed, surrogate, objective), the recommended one first.

    One row a cluster of candidates that are as good as asked; where none is, the candidate with the smallest loss, or
    that misses the limits by least, stands alone with `solves` False. Columns: those of the candidates, `cluster_size`,
    `found_by`, `solves`.

    Args:
        without_influence: inputs that a surrogate does not take, by its name: solutions that differ in nothing else are
            one.
    """
    out = []
    for key, part in frame[frame["rank"].notna()].groupby(QUESTION, sort=False):
        wanted = objectives[str(key[3])]
        if isinstance(wanted, Pareto):
            out.append(_of_front(part, wanted, outputs))
            continue
        part = best_first(part, "domain_score")
        least = float(part["predicted_loss"][missed(part) == 0].min())
        free = (without_influence or {}).get(str(key[2]), ())
        good = solutions(part, space, wanted, outputs, least, free)
        solves = len(good) > 0
        if not solves:
            good = part.head(1).assign(cluster=0)
        else:
            # Clusters again over all methods together: one place found by two methods is one solution.
            X = space.encode(inputs_of(good, space))
            good = good.assign(cluster=clusters(places(space, X, free)))
        order = _order(wanted)
        good = good.sort_values(list(order), ascending=list(order.values()), kind="stable")
        groups = good.groupby("cluster", sort=False)
        best = groups.head(1).set_index("cluster")
        best["cluster_size"] = groups.size()
        best["found_by"] = groups["inverter"].agg(lambda names: ", ".join(dict.fromkeys(names)))
        out.append(best.assign(solves=solves).reset_index(drop=True).head(SHOWN))
    return pd.concat(out, ignore_index=True) if out else frame.head(0)


def _order(wanted: Objective) -> dict[str, bool]:
    """Return by which columns solutions are preferred, and whether less is better."""
    if wanted.committee is not None or (wanted.bounded and wanted.by_loss):
        return {"in_domain": False, "predicted_loss": True, "domain_score": True}
    if wanted.bounded:
        return {"in_domain": False, "chance": False, "domain_score": True, "predicted_loss": True}
    return {"in_domain": False, "expected_loss": True, "predicted_loss": True, "domain_score": True}


def _of_front(part: pd.DataFrame, wanted: Pareto, outputs: list[str]) -> pd.DataFrame:
    """Return some of the front that all methods have found together, evenly spread, the best compromise first; those
    inside the domain come before others."""
    order = wanted.ranking(part[[f"predicted.{o}" for o in outputs]].to_numpy(float))
    front = on_front(part.assign(rank=order), wanted, outputs).assign(rank=part["rank"])
    front = front.sort_values("in_domain", ascending=False, kind="stable").head(SHOWN)
    return front.assign(cluster_size=1, found_by=front["inverter"], solves=True).reset_index(drop=True)
