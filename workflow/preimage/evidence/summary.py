"""The row of a case: the candidate of rank 1, what it predicts, what is true, and its regret split in two.

With P the predicted and L the true loss of that candidate, and P* the smallest predicted loss that any method in the
study found on that surrogate for that objective, round and seed: optimizer_regret = P - P* says what a better search
would gain, surrogate_regret = L - P what a better model would. Where outputs have limits, P* is of candidates that keep
them, and a candidate that does not has no regret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from preimage.core.candidates import CASE, CHANCE, FURTHER, JUDGED, inputs_of, least_losses, missed
from preimage.core.certificates import Certificate, together
from preimage.core.objective import Objective, Pareto, Varied
from preimage.core.space import Space
from preimage.evidence import fronts
from preimage.evidence.clusters import clusters, places

QUESTION = ["round", "seed", "surrogate", "objective"]


def summarise(
    candidates: pd.DataFrame,
    space: Space,
    objectives: Mapping[str, Objective],
    outputs: list[str],
    certificates: Mapping[tuple[str, str], Sequence[Certificate]] | None = None,
    without_influence: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Return the summary (a row a case, in the table's order) of ranked candidates; with the volumes of fronts where
    some objective is a trade-off.

    Args:
        certificates: what was proven in this round and seed, by surrogate and objective.
        without_influence: inputs that a surrogate does not take, by its name.
    """
    best_found = least_losses(candidates, QUESTION)
    rows = []
    for key, part in candidates.groupby(CASE, sort=False):
        case = dict(zip(CASE, key, strict=True))
        wanted = objectives[case["objective"]]
        least = float(best_found[tuple(case[k] for k in QUESTION)])
        proven = (certificates or {}).get((case["surrogate"], case["objective"]), [])
        free = (without_influence or {}).get(case["surrogate"], ())
        volumes = fronts.volumes(part, wanted, outputs, proven) if isinstance(wanted, Pareto) else {}
        rows.append({**case, **_row(part, space, wanted, outputs, least, proven, free), **volumes})
    return pd.DataFrame(rows)


def _row(
    part: pd.DataFrame,
    space: Space,
    wanted: Objective,
    outputs: list[str],
    least: float,
    certificates: Sequence[Certificate],
    without_influence: Sequence[str],
) -> dict[str, object]:
    ranked = part[part["rank"].notna()].sort_values("rank")
    shown = part.iloc[0] if ranked.empty else ranked.iloc[0]
    values = ["x." + n for n in space.names] + [f"{p}.{o}" for p in ("predicted", "simulated") for o in outputs]
    P, L = float(shown["predicted_loss"]), float(shown["simulated_loss"])
    violation = float(shown.get("violation", 0.0))
    further = [c for c in (*FURTHER, *(f"simulated_{name}" for name in JUDGED)) if c in part]
    kept = missed(ranked) == 0
    good = solutions(ranked, space, wanted, outputs, least, without_influence)
    proven = together(certificates, least, bool(kept.any() if wanted.nominal.by_loss else len(good)))
    same = (ranked["predicted_loss"] <= wanted.equal_to(P)) & (missed(ranked) <= violation)
    return {
        **{c: shown[c] for c in values},
        "predicted_loss": P,
        "simulated_loss": L,
        **{c: shown[c] for c in further},
        "certified_bound": proven.bound,
        "gap": proven.gap,
        "optimizer_regret": P - least if violation == 0 else np.nan,
        "surrogate_regret": L - P,
        "hits": int(same.sum()),
        "distinct": int(good["cluster"].nunique()),
        "feasible": proven.feasible,
        **{c: float(shown[c]) for c in CHANCE},
        "in_domain": shown["in_domain"],
        "domain_score": shown["domain_score"],
        "evaluations": int(part["evaluations"].sum()),
        "failed": int(part["status"].eq("failed").sum()),
    }


def solutions(
    ranked: pd.DataFrame,
    space: Space,
    wanted: Objective,
    outputs: list[str],
    least: float,
    without_influence: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the candidates that are as good as asked by the surrogate, with the number of their cluster; of a front,
    each by itself."""
    if isinstance(wanted, Pareto):
        front = fronts.on_front(ranked, wanted, outputs)
        return front.assign(cluster=range(len(front)))
    if not wanted.by_loss:
        good = ranked[wanted.met(ranked[[f"predicted.{o}" for o in outputs]].to_numpy(float))]
    else:
        good = ranked[(ranked["predicted_loss"] <= wanted.as_good_as(least)) & (missed(ranked) == 0)]
        if isinstance(wanted, Varied) and wanted.of_shares:
            good = good[good["share_met"] > 0]
    X = space.encode(inputs_of(good, space))
    return good.assign(cluster=clusters(places(space, X, without_influence)))
