"""What is wanted of the outputs, as a loss that is always minimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from preimage.errors import StudyError, did_you_mean

KINDS = ("minimize", "maximize", "target", "within")
FIT = "fit"
# A fit's loss is the one output of what is inverted (see `preimage.calibration.fit`).
LOSS = "loss"
# Fits count as good as the best up to this share above its loss, plus this much.
NEAR_SHARE, NEAR_LEAST = 0.1, 1e-6
# Entries of a study that stand for many objectives, one a row of a table of wanted outputs.
TABLES = ("targets", "test_rows")
# Where a study names no tolerance: this share of the training rows' range of the output.
DEFAULT_TOLERANCE = 0.01


class Goal(NamedTuple):
    """Wanted interval and unit of each named output (k,); for minimize and maximize, `low` holds the weights."""

    low: Any
    high: Any
    scale: Any


def loss_of(kind: str, Y: Any, goal: Goal, xp: Any = np) -> Any:
    """Return the loss of named outputs (..., k), shape (...,); `goal` may be traced by JAX, `kind` may not."""
    if kind in ("minimize", "maximize", "fit"):
        value = (Y * goal.low).sum(axis=-1)
        return -value if kind == "maximize" else value
    return ((_distance(Y, goal, xp) / goal.scale) ** 2).mean(axis=-1)


def _distance(Y: Any, goal: Goal, xp: Any = np) -> Any:
    """Return how far outputs are from the wanted interval: what would have to be added to them."""
    return xp.where(Y.real < goal.low, goal.low - Y, xp.where(Y.real > goal.high, goal.high - Y, 0 * Y))


@dataclass(frozen=True)
class Objective:
    """One objective.

    Losses, for outputs Y of shape (n, m): `minimize` the weighted sum of the named outputs, `maximize` its negative,
    `target` the squared error to the wanted values, `within` the squared distance to the intervals (0 inside); the
    last two are means over the named outputs, each in its own unit, or in units of `scale` where that is given; `fit`
    the loss against data, which is the one output of the model then.

    Attributes:
        columns: position of each named output in Y.
        low, high: wanted interval of each named output (equal for `target`; weights for minimize and maximize).
        tolerance: how far from the wanted value still counts as met; for minimize and maximize, how far from the
            best found counts as a solution as good.
        scale: unit of each named output in the loss.
        fixed: inputs pinned for this objective alone.
        robust: options of the committee that ranks candidates (see `preimage.inversion.committee`), None without.
    """

    name: str
    kind: str
    outputs: tuple[str, ...]
    columns: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    tolerance: float
    scale: tuple[float, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    robust: Mapping[str, Any] | None = None

    @property
    def entry(self) -> str:
        """The study's entry that this objective is of: `many` for `many.7`, the seventh row after the first."""
        return self.name.partition(".")[0]

    def loss(self, Y: Any, xp: Any = np) -> Any:
        """Return the loss of outputs (n, m), shape (n,); NaN where a named output is NaN.

        Args:
            xp: numpy, or jax.numpy for a loss that JAX can trace. Complex outputs are taken as such (the distance is
                chosen by the real part), so that a complex step through this loss gives its derivative.
        """
        return loss_of(self.kind, Y[:, np.array(self.columns)], self.goal, xp)

    @property
    def goal(self) -> Goal:
        """The numbers of the loss, apart from its form."""
        return Goal(*(np.array(values, float) for values in (self.low, self.high, self.scale)))

    def slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of the loss by the outputs, (n, m), at outputs (n, m)."""
        out = np.zeros_like(Y)
        columns = np.array(self.columns)
        if not self.bounded:
            out[:, columns] = np.array(self.low) * (-1.0 if self.kind == "maximize" else 1.0)
        else:
            scale = np.array(self.scale)
            out[:, columns] = -2 * _distance(Y[:, columns], self.goal) / scale**2 / len(columns)
        return out

    def met(self, Y: np.ndarray, best: float | None = None) -> np.ndarray:
        """Return which outputs (n, m) satisfy the objective, shape (n,).

        For minimize, maximize and fit there is no such thing by itself: there a loss near that of `best` counts.
        """
        if not self.bounded:
            loss = self.loss(Y)
            return np.asarray(loss <= self.as_good_as(np.nanmin(loss, initial=np.inf) if best is None else best))
        margin = self.tolerance if self.kind == "target" else 0.0
        return np.all(np.abs(_distance(Y[:, np.array(self.columns)], self.goal)) <= margin, axis=1)

    def as_good_as(self, best: float) -> float:
        """Return the largest loss that counts as good as the best one found, where there are no values to meet."""
        return best * (1 + NEAR_SHARE) + NEAR_LEAST if self.kind == "fit" else best + self.tolerance

    @property
    def bounded(self) -> bool:
        """Whether there are values to meet, rather than a direction to go."""
        return self.kind in ("target", "within")

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the objective as a person would say it."""
        if self.kind == "fit":
            return "parameters that reproduce the data"
        parts = []
        for name, low, high in zip(self.outputs, self.low, self.high, strict=True):
            unit = f" {units[name]}" if units and units.get(name) else ""
            label = name.replace("_", " ")
            if not self.bounded:
                parts.append(label if low == 1 else f"{low:g} x {label}")
            elif self.kind == "target":
                parts.append(f"{label} {low:g}{unit} within {self.tolerance:g}")
            else:
                parts.append(f"{label} from {low:g} to {high:g}{unit}")
        text = {"minimize": "smallest ", "maximize": "largest "}.get(self.kind, "")
        text += (" + " if not self.bounded else " and ").join(parts)
        if self.fixed:
            text += " at " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in self.fixed.items())
        return text


def build(
    name: str,
    spec: Mapping[str, Any],
    outputs: Sequence[str],
    spread: Sequence[float] | None = None,
    reach: Sequence[float] | None = None,
) -> Objective:
    """Build an objective from a study's entry.

    Args:
        spec: exactly one of minimize, maximize, target, within; optionally tolerance, scaled, fixed.
        outputs: every output of the problem, in order.
        spread: training standard deviation of each output, needed for `scaled: true`.
        reach: training range of each output, for the default tolerance.

    Raises StudyError for an unknown output or an interval with low above high.
    """
    kind = next(k for k in (*KINDS, FIT) if k in spec)
    if kind == FIT:
        return Objective(name, kind, (LOSS,), (0,), (1.0,), (1.0,), 0.0, (1.0,), dict(spec.get("fixed") or {}))
    terms = spec[kind]
    if isinstance(terms, str):
        terms = {terms: 1.0}
    for output in terms:
        if output not in outputs:
            raise StudyError(f"objectives.{name}.{kind}: unknown output '{output}'{did_you_mean(output, outputs)}")
    columns = tuple(list(outputs).index(o) for o in terms)
    pairs = [tuple(map(float, v)) if isinstance(v, list | tuple) else (float(v), float(v)) for v in terms.values()]
    for output, (low, high) in zip(terms, pairs, strict=True):
        if low > high:
            raise StudyError(f"objectives.{name}.within.{output}: low {low:g} is above high {high:g}")
    scale = tuple(float(spread[c]) if spec.get("scaled") and spread is not None else 1.0 for c in columns)
    tolerance = spec.get("tolerance")
    if tolerance is None:
        tolerance = DEFAULT_TOLERANCE * max(float(reach[c]) for c in columns) if reach is not None else 0.0
    return Objective(
        name,
        kind,
        tuple(terms),
        columns,
        tuple(low for low, _ in pairs),
        tuple(high for _, high in pairs),
        float(tolerance),
        tuple(s if s > 0 else 1.0 for s in scale),
        dict(spec.get("fixed") or {}),
        _robust(spec.get("robust")),
    )


def _robust(value: bool | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value else None


class Targets(NamedTuple):
    """Wanted values of named outputs (k,), one objective a row (n, k)."""

    outputs: list[str]
    values: np.ndarray


def build_all(
    entries: Mapping[str, Mapping[str, Any]],
    outputs: Sequence[str],
    spread: Sequence[float] | None = None,
    reach: Sequence[float] | None = None,
    tables: Mapping[str, Targets] | None = None,
) -> dict[str, Objective]:
    """Build every objective of a study, by name (see `build`).

    Args:
        tables: rows of wanted outputs, by entry of the kinds in `TABLES`; each becomes objectives `<entry>.<row>`.
    """
    found: dict[str, Objective] = {}
    for name, entry in entries.items():
        specs = {name: entry} if many(entry) is None else _rows(name, entry, (tables or {})[name])
        found |= {key: build(key, spec, outputs, spread, reach) for key, spec in specs.items()}
    return found


def many(entry: Mapping[str, Any]) -> str | None:
    """Return which kind of table a study's entry takes its targets from; None where it is one objective."""
    return next((kind for kind in TABLES if kind in entry), None)


def _rows(name: str, entry: Mapping[str, Any], targets: Targets) -> dict[str, dict[str, Any]]:
    rest = {key: value for key, value in entry.items() if key not in TABLES}
    rows = (dict(zip(targets.outputs, row, strict=True)) for row in targets.values.tolist())
    return {f"{name}.{k}": {**rest, "target": row} for k, row in enumerate(rows)}
