"""What is wanted of the outputs, as a loss that is always minimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

KINDS = ("minimize", "maximize", "target", "within")
FIT = "fit"
# A fit's loss is the one output of what is inverted (see `preimage.calibration.fit`).
LOSS = "loss"
# Fits count as good as the best up to this share above its loss, plus this much of a loss that has no unit.
NEAR_SHARE, NEAR_LEAST = 0.1, 1e-6
# Losses that have a unit: that of the data, squared. Those of logarithms have none.
WITH_UNIT = ("mse",)
# Losses are equal where they agree to this share of what the training rows span.
SAME = 1e-6
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
    last two are means over the named outputs, each in units of its `scale`; `fit` the loss against data, which is the
    one output of the model then.

    Attributes:
        columns: position of each named output in Y.
        low, high: wanted interval of each named output (equal for `target`; weights for minimize and maximize).
        tolerance: how far each named output may be from the wanted value and still count as met; for minimize and
            maximize one number, how far from the best found counts as a solution as good.
        scale: unit of each named output in the loss.
        fixed: inputs pinned for this objective alone.
        robust: options of the committee that ranks candidates (see `preimage.inversion.committee`), None without.
        unit: what the training rows span: of minimize and maximize the range of what is summed, of values to meet the
            range of the outputs in units of `scale` (root mean square); 1 where nothing is known of them. Of a fit 1
            where its loss has no unit, 0 where it has that of the data.
    """

    name: str
    kind: str
    outputs: tuple[str, ...]
    columns: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    tolerance: tuple[float, ...]
    scale: tuple[float, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    robust: Mapping[str, Any] | None = None
    unit: float = 1.0

    @property
    def entry(self) -> str:
        """The study's entry that this objective is of: `many` for `many.7`, the seventh row after the first."""
        return self.name.partition(".")[0]

    @property
    def margin(self) -> np.ndarray:
        """How far each named output may be outside what is wanted and still meet it, (k,): nothing for `within`."""
        return np.array(self.tolerance) if self.kind == "target" else np.zeros(len(self.outputs))

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
        return np.all(np.abs(_distance(Y[:, np.array(self.columns)], self.goal)) <= self.margin, axis=1)

    def as_good_as(self, best: float) -> float:
        """Return the largest loss that counts as good as the best one found, where there are no values to meet."""
        if self.kind == FIT:
            return best * (1 + NEAR_SHARE) + NEAR_LEAST * self.unit
        return best + self.tolerance[0]

    def equal_to(self, loss: float) -> float:
        """Return the largest loss that is equal to one but for a millionth of what the training rows span.

        A squared distance is compared as the distance that it is of: only that has the outputs' unit.
        """
        if self.bounded:
            return float((np.sqrt(max(loss, 0.0)) + SAME * self.unit) ** 2)
        return loss + SAME * (max(abs(loss), self.unit) if self.kind == FIT else self.unit)

    @property
    def enough(self) -> float:
        """The largest loss of outputs that meet the values wanted; infinite where there are none."""
        return float(((self.margin / np.array(self.scale)) ** 2).mean()) if self.bounded else np.inf

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
                parts.append(label if low == 1 else f"{digits.exact(low)} x {label}")
            elif self.kind == "target":
                tolerance = digits.number(self.tolerance[len(parts)])
                parts.append(f"{label} {digits.exact(low)}{unit} within {tolerance}")
            else:
                parts.append(f"{label} from {digits.exact(low)} to {digits.exact(high)}{unit}")
        text = {"minimize": "smallest ", "maximize": "largest "}.get(self.kind, "")
        text += (" + " if not self.bounded else " and ").join(parts)
        if self.fixed:
            text += " at " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in self.fixed.items())
        return text


class Known(NamedTuple):
    """What is known of the outputs of the training rows, all of them in order; None where nothing is.

    Attributes:
        spread, reach: standard deviation and range of each output (m,).
        rows: the outputs themselves (n, m), without which nothing is known of the range of a sum.
    """

    spread: Sequence[float] | None = None
    reach: Sequence[float] | None = None
    rows: np.ndarray | None = None


def build(
    name: str,
    spec: Mapping[str, Any],
    outputs: Sequence[str],
    spread: Sequence[float] | None = None,
    reach: Sequence[float] | None = None,
    rows: np.ndarray | None = None,
) -> Objective:
    """Build an objective from a study's entry.

    Args:
        spec: exactly one of minimize, maximize, target, within; optionally tolerance, scaled, fixed.
        outputs: every output of the problem, in order.
        spread, reach, rows: see `Known`.

    Raises StudyError for an unknown output or an interval with low above high.
    """
    kind = next(k for k in (*KINDS, FIT) if k in spec)
    fixed = dict(spec.get("fixed") or {})
    if kind == FIT:
        unit = 0.0 if spec[FIT].get("loss") in WITH_UNIT else 1.0
        return Objective(name, kind, (LOSS,), (0,), (1.0,), (1.0,), (0.0,), (1.0,), fixed, unit=unit)
    where = f"objectives.{name.partition('.')[0]}"
    terms = spec[kind]
    if isinstance(terms, str):
        terms = {terms: 1.0}
    for output in terms:
        if output not in outputs:
            raise StudyError(f"{where}.{kind}: unknown output '{output}'{did_you_mean(output, outputs)}")
    columns = tuple(list(outputs).index(o) for o in terms)
    low, high = _ends(where, terms)
    known, tolerance = Known(spread, reach, rows), _tolerances(where, spec, terms)
    scale = (1.0,) * len(columns)
    if kind in ("minimize", "maximize"):
        if isinstance(spec.get("tolerance"), Mapping) and len(terms) > 1:
            found = f"found one by output, expected a number: {kind} takes their sum"
            raise StudyError(f"{where}.tolerance: {found}")
        span = _span_of_sum(np.array(low), columns, known)
        margins = [next(iter(tolerance.values()), DEFAULT_TOLERANCE * (span or 0.0))]
    else:
        scale = _scale(spec, columns, [max(map(abs, ends)) for ends in zip(low, high, strict=True)], known)
        ranges = np.zeros(len(columns)) if reach is None else np.array([reach[c] for c in columns], float)
        span = None if reach is None else float(np.sqrt(((ranges / scale) ** 2).mean()))
        margins = [tolerance.get(o, DEFAULT_TOLERANCE * float(r)) for o, r in zip(terms, ranges, strict=True)]
    unit = 1.0 if span is None else span
    robust = _robust(spec.get("robust"))
    return Objective(name, kind, tuple(terms), columns, low, high, tuple(margins), scale, fixed, robust, unit)


def _ends(where: str, terms: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the ends of what is wanted of each output; both are the value, or the weight, where that is one number."""
    pairs = [v if isinstance(v, list | tuple) else (v, v) for v in terms.values()]
    low, high = (tuple(float(pair[k]) for pair in pairs) for k in (0, 1))
    for output, a, b in zip(terms, low, high, strict=True):
        if a > b:
            said = f"low {digits.plain(a)} is above high {digits.plain(b)}"
            raise StudyError(f"{where}.within.{output}: {said}")
    return low, high


def _scale(spec: Mapping[str, Any], columns: Sequence[int], wanted: Sequence[float], known: Known) -> tuple[float, ...]:
    """Return the unit of each output in the loss: by default its own, which is its standard deviation where several
    are added. Beside others, one that never varies is taken in units of what is wanted of it."""
    if known.spread is None or not spec.get("scaled", len(columns) > 1):
        return (1.0,) * len(columns)
    varies = [known.reach is None or known.reach[c] > 0 for c in columns]
    found = (float(known.spread[c]) if v else 0.0 for c, v in zip(columns, varies, strict=True))
    other = wanted if len(columns) > 1 else [0.0]
    return tuple(own or size or 1.0 for own, size in zip(found, other, strict=True))


def _tolerances(where: str, spec: Mapping[str, Any], terms: Mapping[str, Any]) -> dict[str, float]:
    """Return the tolerances that a study states, by output; a number is that of each."""
    stated = spec.get("tolerance")
    if not isinstance(stated, Mapping):
        return {} if stated is None else dict.fromkeys(terms, float(stated))
    for output in stated:
        if output not in terms:
            raise StudyError(f"{where}.tolerance: unknown output '{output}'{did_you_mean(output, terms)}")
    return {output: float(value) for output, value in stated.items()}


def _span_of_sum(weights: np.ndarray, columns: Sequence[int], known: Known) -> float | None:
    """Return the range of a weighted sum over the training rows; None where it is not known."""
    if known.rows is not None:
        return float(np.ptp(known.rows[:, list(columns)] @ weights))
    if known.reach is not None and len(columns) == 1:
        return float(abs(weights[0]) * known.reach[columns[0]])
    return None


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
    rows: np.ndarray | None = None,
) -> dict[str, Objective]:
    """Build every objective of a study, by name (see `build`).

    Args:
        tables: rows of wanted outputs, by entry of the kinds in `TABLES`; each becomes objectives `<entry>.<row>`.
    """
    found: dict[str, Objective] = {}
    for name, entry in entries.items():
        specs = {name: entry} if many(entry) is None else _rows(name, entry, (tables or {})[name])
        found |= {key: build(key, spec, outputs, spread, reach, rows) for key, spec in specs.items()}
    return found


def many(entry: Mapping[str, Any]) -> str | None:
    """Return which kind of table a study's entry takes its targets from; None where it is one objective."""
    return next((kind for kind in TABLES if kind in entry), None)


def _rows(name: str, entry: Mapping[str, Any], targets: Targets) -> dict[str, dict[str, Any]]:
    rest = {key: value for key, value in entry.items() if key not in TABLES}
    rows = (dict(zip(targets.outputs, row, strict=True)) for row in targets.values.tolist())
    return {f"{name}.{k}": {**rest, "target": row} for k, row in enumerate(rows)}
