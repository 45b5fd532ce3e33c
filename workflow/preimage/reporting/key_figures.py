"""What a study has come to, in the few numbers by which runs are compared in MLflow."""

from __future__ import annotations

from preimage.reporting import cards
from preimage.reporting.material import Material

OF_ANSWER = ("chance", "predicted_loss", "simulated_loss", "optimizer_regret", "surrogate_regret")


def key_figures(material: Material) -> dict[str, float | None]:
    """Return by name, for each objective, those of the answer on its card (`answer.<objective>/...`) with the gap that
    is proven, and each model's errors on rows that it never saw."""
    found: dict[str, float | None] = {}
    for name, row in cards.recommended(material).items():
        found |= {f"answer.{name}/{key}": row.get(key) for key in OF_ANSWER}
        mine = material.summary[(material.summary["objective"] == name)]
        gap = mine.loc[mine["surrogate"] == row["surrogate"], "gap"].min() if "gap" in mine else None
        found[f"answer.{name}/gap"] = gap
    for surrogate, info in material.surrogates.items():
        for output, scores in info.get("test", {}).items():
            found |= {f"model.{surrogate}/{key}.{output}": scores[key] for key in ("rmse", "r2")}
    return found
