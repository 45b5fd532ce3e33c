"""A problem: an input space, named outputs with units, and where there is one, the simulator that is the truth."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

from preimage.problems import calls, user_import
from preimage.problems.timed import Timed
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.spending import Simulator

# How many points, and a generator, to points.
Draw = Callable[[int, "np.random.Generator"], "np.ndarray"]
# A minimum that is moved lies in this middle part of its box.
MIDDLE = 0.8


@dataclass(frozen=True)
class Minimum:
    """A known global minimum of one output, for the evidence step to measure distances to."""

    x: tuple[float, ...]
    y: float


@dataclass(frozen=True)
class Problem:
    """What a simulator is by nature; a study may narrow its bounds.

    Attributes:
        inputs: natural bounds by input, in order.
        outputs: unit by output, in order.
        simulate: noise-free outputs (n, m) of points (n, d).
        minimum: known global minimum by output.
        complex_safe: whether `simulate` computes with complex inputs as it does with real ones, so that a complex step
            gives its derivative.
        integers: inputs that are whole numbers.
        draw: points (n, d) from the distribution that the inputs have by nature; None where they are uniform.
        dynamics: the model of series (`preimage.core.dynamics`) where that is what it simulates; it has no outputs
            then, and objectives are fits to data.
        start: where a fit starts first, by input.
    """

    name: str
    inputs: Mapping[str, tuple[float, float]]
    outputs: Mapping[str, str]
    simulate: Simulator
    minimum: Mapping[str, Minimum] = field(default_factory=dict)
    complex_safe: bool = False
    integers: frozenset[str] = frozenset()
    draw: Draw | None = None
    dynamics: Any = None
    start: Mapping[str, float] = field(default_factory=dict)


def load(spec: Mapping[str, Any], run: bool = True) -> Problem | None:
    """Return the problem of a study's `problem` entry; None where it is a table with no simulator.

    Args:
        run: whether it is to be run. Otherwise no code of the user's is imported: inputs and outputs are those of the
            study, and a model of series is taken to be one that JAX can trace; and no minimum is moved.

    Raises StudyError for an unknown built-in, a function that can't be imported, or a dimension out of place.
    """
    found = _loaded(spec, run)
    if found is None or not run or found.dynamics is not None:
        return found
    return replace(found, simulate=calls.metered(found.simulate))


def _loaded(spec: Mapping[str, Any], run: bool) -> Problem | None:
    """Return the problem, its calls not counted yet."""
    name = spec.get("simulator")
    if name is None:
        return None
    if ":" in name:
        return _own(name, spec, run)
    from preimage.problems.built_in import BUILT_IN

    if name not in BUILT_IN:
        raise StudyError(f"problem.simulator: unknown built-in problem '{name}'{did_you_mean(name, BUILT_IN)}")
    build = importlib.import_module(f"preimage.problems.built_in.{name}").build
    if spec.get("dimension") is not None and not inspect.signature(build).parameters:
        raise StudyError(f"problem.dimension: '{name}' has a fixed number of inputs")
    found: Problem = build() if spec.get("dimension") is None else build(int(spec["dimension"]))
    if spec.get("shift") is None:
        return found
    _check_known_minimum(found)
    if not run:
        return found
    import numpy as np

    return shifted(found, np.random.default_rng(int(spec["shift"])))


def simulator(spec: Mapping[str, Any]) -> Problem:
    """Return the problem of a study's `problem` entry that has a simulator. Raises StudyError as `load` does."""
    found = load(spec)
    assert found is not None
    return found


def shifted(problem: Problem, rng: np.random.Generator) -> Problem:
    """Return the problem with its minimum moved to a random place of its box, so that no method gains by trying the
    middle first. Raises StudyError where no minimum is known, or several are."""
    import numpy as np

    _check_known_minimum(problem)
    low, high = np.array(list(problem.inputs.values())).T
    place = (low + high) / 2 + MIDDLE * (high - low) / 2 * rng.uniform(-1, 1, len(low))
    ((output, before),) = problem.minimum.items()
    by, simulate = np.array(before.x) - place, problem.simulate
    return replace(
        problem,
        simulate=lambda X: simulate(np.asarray(X) + by),
        minimum={output: Minimum(tuple(map(float, place)), before.y)},
    )


def _check_known_minimum(problem: Problem) -> None:
    if not problem.minimum:
        raise StudyError(f"problem.shift: cannot move the minimum of '{problem.name}', which is unknown")
    if len(problem.minimum) > 1:
        raise StudyError(f"problem.shift: '{problem.name}' has a minimum for each output; expected one output")


def _own(name: str, spec: Mapping[str, Any], run: bool) -> Problem:
    """Wrap a user's "package.module:function", which takes points (n, d) and returns outputs (n,) or (n, m)."""
    settings, outputs = spec.get("inputs") or {}, spec.get("outputs") or {}
    if "ode" in spec or "curve" in spec:
        call = user_import.load(name) if run else user_import.not_imported
        return _own_series(call, name, spec, _bounds(name, settings), run)
    if not outputs:
        raise StudyError(f"problem.outputs: name the outputs of the simulator '{name}'")
    inputs = _bounds(name, settings)
    units = {key: (value or {}).get("unit", "") for key, value in outputs.items()}
    return Problem(name.replace(":", "."), inputs, units, _points(name, spec, list(inputs), list(outputs), run))


def _points(name: str, spec: Mapping[str, Any], inputs: list[str], outputs: list[str], run: bool) -> Simulator:
    """Return a user's function of points; where its calls have a limit of time, in a process of its own."""
    if not run:
        return user_import.not_imported
    seconds = spec.get("seconds")
    call = user_import.load(name) if seconds is None else Timed(name, float(seconds))
    code = calls.code_of(name, seconds)
    return calls.Own(call, name, inputs, outputs, spec.get("batch"), code)


def _bounds(name: str, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Return the bounds of every input of a user's simulator; a category's are those of its index."""
    inputs = {}
    for key, value in settings.items():
        last = len(value.get("categories", ())) - 1
        low, high = value.get("low", value.get("fixed")), value.get("high", value.get("fixed"))
        if last < 0 and (low is None or high is None):
            raise StudyError(f"problem.inputs.{key}: a simulator of your own needs low and high for every input")
        inputs[key] = (0.0, float(last)) if last >= 0 else (float(low), float(high))
    if not inputs:
        raise StudyError(f"problem.inputs: name the inputs of the simulator '{name}', each with low and high")
    return inputs


def _own_series(
    call: Callable[..., Any],
    name: str,
    spec: Mapping[str, Any],
    inputs: Mapping[str, tuple[float, float]],
    run: bool,
) -> Problem:
    """Wrap a user's right-hand side or curve (see `preimage.problems.user_series`)."""
    from preimage.problems import user_series

    settings = spec.get("inputs") or {}
    start = {key: settings[key].get("start", _middle(settings[key], *bounds)) for key, bounds in inputs.items()}
    return of_series(
        name.replace(":", "."), inputs, user_series.model(call, name, spec, run), start, complex_safe=False
    )


def _middle(settings: Mapping[str, Any], low: float, high: float) -> float:
    """Return the middle of bounds, on the parameter's scale."""
    return float((low * high) ** 0.5) if settings.get("scale") == "log" and low > 0 else (low + high) / 2


def of_series(
    name: str,
    inputs: Mapping[str, tuple[float, float]],
    dynamics: Any,
    start: Mapping[str, float],
    complex_safe: bool = True,
) -> Problem:
    """Return the problem of a model of series, which has parameters for inputs and no outputs: it is fitted to data."""
    return Problem(name, inputs, {}, _nothing, complex_safe=complex_safe, dynamics=dynamics, start=start)


def _nothing(X: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.empty((len(X), 0))
