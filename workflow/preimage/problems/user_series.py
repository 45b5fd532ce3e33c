"""Right-hand sides and curves of the user's own, as models.

A right-hand side is `rates(t, y, p)`: time, the list of states in the study's order, parameters by name; it returns the
derivatives, one a state. A curve is `f(x, p)`: columns of the data by name; it returns the observed series. Written
with `jax.numpy` they are differentiated exactly; with NumPy, by finite differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

from preimage.core.dynamics import Curve, Dynamics, Known, Model
from preimage.problems import observables
from preimage.support.errors import StudyError


def model(call: Callable[..., Any], name: str, spec: Mapping[str, Any], run: bool = True) -> Model:
    """Return the model of a user's function, as the `problem` entry of a study describes it (`ode` or `curve`).

    Args:
        run: whether to call it, to see whether JAX can trace it; otherwise it is taken to be traceable.

    Raises StudyError for an initial value that names no parameter, and for a function that can't be called.
    """
    inputs = list(spec.get("inputs") or {})
    if "curve" in spec:
        found: Model = _curve(call, spec)
        probe: Callable[[Any], Any] = lambda p: _probed_curve(found, p)  # noqa: E731
    else:
        found = _dynamics(call, spec, inputs, name, run)
        probe = lambda p: _probed_rates(found, p)  # noqa: E731
    traceable = _traceable(probe, inputs) if run else True
    found = replace(found, traceable=traceable)
    return replace(found, rates=_compiled(call)) if traceable and run and isinstance(found, Dynamics) else found


def _curve(call: Callable[..., Any], spec: Mapping[str, Any]) -> Curve:
    outputs = tuple(spec.get("outputs") or ())
    if not outputs:
        raise StudyError("problem.outputs: name the series that the curve returns")
    return Curve(
        function=lambda x, p, xp: [call(x, p)] if len(outputs) == 1 else list(call(x, p)),
        at=tuple(spec["curve"]["at"]),
        observed=outputs,
    )


def _dynamics(
    call: Callable[..., Any], spec: Mapping[str, Any], inputs: Sequence[str], name: str, run: bool
) -> Dynamics:
    states: Mapping[str, float | str] = spec["ode"]["states"]
    begin = observables.initial(states, inputs)
    names, observe = observables.observed(spec, inputs, name, run)
    return Dynamics(
        states=tuple(states),
        rates=lambda t, y, p, known, xp: call(t, y, p),
        initial=lambda p, known: begin(p),
        observe=observe,
        observed=names,
        before=observables.before(spec["ode"].get("preequilibration"), inputs),
        doses=observables.doses((spec.get("events") or {}).get("doses", ()), list(states), inputs),
        own=True,
    )


def _compiled(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the rates of a right-hand side in JAX; for solvers outside of JAX, which ask for one number at a time,
    compiled."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    @jax.jit
    def fast(t: Any, y: Any, p: Any) -> Any:
        out = list(call(t, list(y), p))
        return out if any(jnp.ndim(v) for v in out) else jnp.stack([jnp.asarray(v) for v in out])

    def rates(t: Any, y: Any, p: Any, known: Any, xp: Any) -> Any:
        if xp is not np or not np.can_cast(np.result_type(*y), complex):  # JAX has no long double
            return call(t, y, p)
        return list(np.asarray(fast(t, np.asarray(y), dict(p))))

    return rates


def _traceable(probe: Callable[[Any], Any], inputs: Sequence[str]) -> bool:
    """Return whether JAX can trace a function of the parameters: NumPy's functions refuse its tracers."""
    from preimage.support.jax_setup import enable_double

    enable_double()
    import jax

    try:
        jax.make_jaxpr(probe)(dict.fromkeys(inputs, 1.0))
    except Exception:
        return False
    return True


def _probed_rates(found: Any, p: Any) -> Any:
    import jax.numpy as jnp

    y = [v + 0 * next(iter(p.values())) for v in found.initial(p, Known({}))]
    rates = [jnp.asarray(v, float) for v in found.rates(jnp.asarray(0.0), y, p, Known({}), jnp)]
    return jnp.stack([*rates, *(jnp.asarray(v, float) for v in found.observe(y, p))])


def _probed_curve(found: Any, p: Any) -> Any:
    import jax.numpy as jnp

    return [jnp.asarray(v) for v in found.function({name: jnp.ones(3) for name in found.at}, p, jnp)]


def checked(found: Model, p: Mapping[str, float], at: Mapping[str, np.ndarray]) -> None:
    """Call a model once. Raises StudyError where it gives another number of values than it should."""
    import numpy as np

    if isinstance(found, Curve):
        n = len(next(iter(at.values())))
        shapes = [np.shape(v) for v in found.function(at, p, np)]
        if len(shapes) != len(found.observed) or any(s not in ((), (n,)) for s in shapes):
            raise StudyError(
                f"problem.simulator: the curve returned shapes {shapes}, expected {len(found.observed)} of ({n},)"
            )
        return
    y = [float(np.real(v)) for v in found.initial(p, Known(dict.fromkeys(found.observed, 1.0), 1e6))]
    try:
        out = list(found.rates(0.0, y, p, Known(dict.fromkeys(found.observed, 1.0), 1e6), np))
    except Exception as error:
        raise StudyError(f"problem.simulator: the right-hand side raised {type(error).__name__}: {error}") from error
    if len(out) != len(found.states) or any(np.ndim(v) for v in out):
        raise StudyError(
            f"problem.simulator: the right-hand side returned {len(out)} values of shapes "
            f"{[np.shape(v) for v in out]}, expected {len(found.states)} numbers, one per state"
        )
    shapes = [np.shape(v) for v in found.observe([np.full(3, v) for v in y], p)]
    if len(shapes) != len(found.observed) or any(s not in ((), (3,)) for s in shapes):
        raise StudyError(
            f"problem.ode.observe: the function returned values of shapes {shapes} for states at 3 times, expected "
            f"{len(found.observed)} of (3,), one per output"
        )
