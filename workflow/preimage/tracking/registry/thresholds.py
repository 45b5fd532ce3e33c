"""MLflow's own validation of a challenger against limits and the champion."""

from __future__ import annotations

from collections.abc import Mapping


def thresholds_failed(
    champion: Mapping[str, float] | None, challenger: Mapping[str, float], limits: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Return why MLflow's own validation refuses the challenger; nothing where it passes.

    Args:
        champion, challenger: metrics by name, smaller is better; without a champion only `threshold` counts.
        limits: by metric: threshold, min_absolute_change, min_relative_change, each of which may be left out.
    """
    import mlflow
    from mlflow.models import MetricThreshold
    from mlflow.models.evaluation import EvaluationResult
    from mlflow.models.evaluation.validation import ModelValidationFailedException

    relative = {"min_absolute_change", "min_relative_change"}
    kept = {
        name: {k: float(v) for k, v in limit.items() if v is not None and (champion is not None or k not in relative)}
        for name, limit in limits.items()
    }
    # MLflow takes a least absolute change above 0 only: 0 asks for nothing.
    kept = {n: {k: v for k, v in limit.items() if k == "threshold" or v > 0} for n, limit in kept.items()}
    thresholds = {n: MetricThreshold(**limit, greater_is_better=False) for n, limit in kept.items() if limit}
    if not thresholds:
        return []
    old = None if champion is None else EvaluationResult(dict(champion), {})
    try:
        mlflow.validate_evaluation_results(thresholds, EvaluationResult(dict(challenger), {}), old)
    except ModelValidationFailedException as error:
        return [line for line in str(error.message).splitlines() if line.strip()]
    return []
