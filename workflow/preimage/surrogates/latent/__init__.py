"""Surrogate `latent`: predicts by inverting a decoder, and is trained through that inversion.

Which way round. An observation x is made from something behind it, x = f(y), and is all that is seen of it. A
prediction takes x and finds y, by solving min over y of |x - f(y; p)|^2; parameters p are trained so that the y it
finds are right. Everywhere in this tool a surrogate goes from inputs to outputs; so here **the tool's inputs are what
is observed (x), its outputs what is behind it (y)**, and f, the decoder, goes from outputs to inputs. To invert this
surrogate, as the inverters do, is then to ask for observations that would be explained by a wanted y.

Parts: `decoders` (the f), `inner` (prediction and its derivatives), `training` (the outer problem), `optimisers` (for
both). Inputs and outputs are standardised unless the study says `standardised: false`.

Implicit differentiation of a minimiser: Krantz and Parks 2002, "The Implicit Function Theorem"; unrolled: Maclaurin,
Duvenaud, Adams 2015, "Gradient-based hyperparameter optimization through reversible learning".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from preimage.data.rows import Rows
from preimage.data.split import folds as make_folds
from preimage.support import npz
from preimage.support.errors import StudyError
from preimage.support.files import read_json, replacing, write_json
from preimage.support.jax_setup import enable_double
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates.kinds.latent import Latent as Options
from preimage.surrogates.latent import decoders
from preimage.surrogates.protocol import Traceable, Trained

ARRAYS, FORM = "latent.npz", "latent.json"
# A regression of what is observed on what is behind it gives the parameters to begin with.
REGRESSION_STEPS = 300
FEWEST_POINTS = 8


@dataclass(frozen=True)
class Scales:
    """Centre and unit of what is observed (D,) and of what is behind it (K,)."""

    x0: np.ndarray
    x1: np.ndarray
    y0: np.ndarray
    y1: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, Y: np.ndarray, standardised: bool) -> Scales:
        if not standardised:
            return cls(np.zeros(X.shape[1]), np.ones(X.shape[1]), np.zeros(Y.shape[1]), np.ones(Y.shape[1]))
        x1, y1 = (np.where(np.ptp(A, axis=0) > 0, A.std(axis=0), 1.0) for A in (X, Y))
        return cls(X.mean(axis=0), x1, Y.mean(axis=0), y1)


@dataclass(frozen=True)
class Inverting:
    """The prediction of one form of model for JAX to trace: of (parameters, x (D,))."""

    decoder: Any
    inner: Any

    def __call__(self, held: Mapping[str, Any], x: Any) -> Any:
        import jax.numpy as jnp

        from preimage.surrogates.latent.inner import solve

        x0, x1, y0, y1 = held["scales"]
        z = (jnp.asarray(x, jnp.float64) - x0) / x1
        return y0 + y1 * solve(self.decoder, self.inner, held["parameters"], z)


@dataclass(frozen=True)
class Latent:
    """A trained decoder with the way it is inverted."""

    decoder: decoders.Decoder
    inner: Any
    parameters: decoders.Parameters
    scales: Scales

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the latent values (n, K) that explain observations (n, D)."""
        function, held = self.traceable()
        return np.asarray(_compiled(function, "value")(held, padded(X)))[: len(X)]

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return predictions (n, K) and their derivatives (n, K, D) at observations (n, D): implicit ones, whatever
        the training took."""
        _, held = self.traceable()
        exact = Inverting(self.decoder, replace(self.inner, gradient="implicit"))
        slopes = np.asarray(_compiled(exact, "slope")(held, padded(X)))[: len(X)]
        return self.predict(X), slopes

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return how far the predictions (n, K) would move with an observation that is off by its own deviation."""
        size: np.ndarray = np.sqrt(((self.gradient(X)[1] * self.scales.x1) ** 2).sum(axis=2))
        return size

    def explained(self, X: np.ndarray) -> np.ndarray:
        """Return what observations (n, D) look like by the values found for them (n, D)."""
        return self.decode(self.predict(X))

    def decode(self, Y: np.ndarray) -> np.ndarray:
        """Return the observations (n, D) of latent values (n, K)."""
        import jax

        s = self.scales
        seen = jax.vmap(lambda y: self.decoder(self.parameters, y))((np.asarray(Y, float) - s.y0) / s.y1)
        return s.x0 + s.x1 * np.asarray(seen)

    def traceable(self) -> Traceable:
        """Return the prediction for JAX to trace, in float64."""
        enable_double()
        s = self.scales
        held = {"parameters": self.parameters, "scales": (s.x0, s.x1, s.y0, s.y1)}
        return Traceable(Inverting(self.decoder, self.inner), held)

    def save(self, folder: Path) -> None:
        """Write arrays and what they are: no code."""
        arrays: dict[str, Any] = {f"parameters.{k}": np.asarray(v) for k, v in self.parameters.items()}
        scales = {f"scales.{k}": v for k, v in vars(self.scales).items()}
        with replacing(folder / ARRAYS) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays, **scales)
        form = {"decoder": {"kind": _kind(self.decoder), **asdict(self.decoder)}, "inner": asdict(self.inner)}  # type: ignore[call-overload]
        write_json(folder / FORM, form)

    @classmethod
    def load(cls, folder: Path) -> Latent:
        from preimage.surrogates.latent.inner import Inner

        enable_double()
        form = read_json(folder / FORM)
        arrays = npz.read(folder / ARRAYS)
        parts = {
            part: {k.removeprefix(f"{part}."): arrays[k] for k in arrays if k.startswith(f"{part}.")}
            for part in ("parameters", "scales")
        }
        about = form["decoder"]
        decoder: decoders.Decoder = decoders.Linear(about["latent"], about["observed"])
        if about["kind"] == "network":
            decoder = decoders.Network(about["latent"], about["observed"], tuple(about["layers"]))
        return cls(decoder, Inner(**form["inner"]), parts["parameters"], Scales(**parts["scales"]))


def train(rows: Rows, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Train on all rows, and beside that once for each fold left out, all at once.

    Args:
        options: the study's settings (decoder, layers, inner, outer, gradient, begin, folds, standardised).

    Raises StudyError where an input is a category, or the training diverges.
    """
    enable_double()
    from preimage.surrogates.latent import inner, training

    check_numbers(rows)
    decoder = decoders.named(options, rows.Y.shape[1], rows.X.shape[1])
    how, outer = inner.Inner.of(options.inner, options.gradient), training.Outer.of(options.outer)
    scales = Scales.of(rows.X, rows.Y, options.standardised)
    X, Y = (rows.X - scales.x0) / scales.x1, (rows.Y - scales.y0) / scales.y1
    fold = make_folds(rows.group, options.folds, rng)
    weights = np.array([np.ones(len(X)), *((fold != k).astype(float) for k in range(fold.max() + 1))])

    begin = training.copies(decoder.initial(rng), len(weights))
    if options.begin == "regression":
        plain = training.Outer("lbfgs", REGRESSION_STEPS)
        begin, _ = training.minimise(lambda p, w: training.observed_loss(decoder, p, X, Y, w), begin, weights, plain)
    found, losses = training.minimise(
        lambda p, w: training.latent_loss(decoder, how, p, X, Y, w), begin, weights, outer, context.report
    )
    refuse_diverged(losses)

    models = [
        Latent(decoder, how, {k: np.asarray(v[m]) for k, v in found.items()}, scales) for m in range(len(weights))
    ]
    predicted, spread = np.empty(rows.Y.shape), np.empty(rows.Y.shape)
    for k, model in enumerate(models[1:]):
        held = fold == k
        predicted[held], spread[held] = model.predict(rows.X[held]), model.spread(rows.X[held])
    said = {
        "decoder": options.decoder,
        "inner": f"{how.method}, {how.steps} steps",
        "outer": f"{outer.method}, {outer.iterations} iterations",
        "gradient": how.gradient,
        "training_loss": float(losses[0, -1]),
        **_line(models[0]),
    }
    curve = [(k, float(loss), float("nan")) for k, loss in enumerate(losses[0])]
    return Trained(models[0], models[0].save, (predicted, spread), said, curve=curve)


def load(folder: Path) -> Latent:
    return Latent.load(folder)


def logged(folder: Path) -> dict[str, Any]:
    """Return how a tracking server is to keep the model."""
    return {"flavor": "arrays", "path": str(folder), "packages": []}


def check_numbers(rows: Rows) -> None:
    """Raise StudyError where an input is a category: no decoder gives one."""
    if rows.levels.any():
        name = rows.inputs[int(np.flatnonzero(rows.levels)[0])]
        raise StudyError(f"input '{name}' is a category: a latent surrogate explains numbers; leave it out")


def refuse_diverged(losses: np.ndarray) -> None:
    """Raise StudyError where a loss of the trainings (m, iterations) is no number, with the first such iteration."""
    bad = ~np.isfinite(losses)
    if bad.any():
        at = int(np.flatnonzero(bad.any(axis=0))[0])
        raise StudyError(
            f"training by inversion diverged: the loss is no finite number from iteration {at} on; use a smaller "
            "outer.rate or inner.rate, or the method lbfgs"
        )


def padded(X: np.ndarray) -> np.ndarray:
    """Return points (n, d) with copies of the last up to a power of two, so that few programs are compiled."""
    X = np.asarray(X, float)
    size = max(FEWEST_POINTS, 1 << max(len(X) - 1, 0).bit_length())
    return np.concatenate([X, np.repeat(X[-1:], size - len(X), axis=0)]) if len(X) else np.zeros((size, X.shape[1]))


@cache
def _compiled(function: Inverting, what: str) -> Any:
    """Return the compiled program of predictions or of their derivatives; models of one form share it."""
    import jax

    from preimage.support.jax_setup import cache_compiled_programs

    cache_compiled_programs()
    one = function if what == "value" else jax.jacfwd(function, argnums=1)
    return jax.jit(jax.vmap(one, in_axes=(None, 0)))


def _kind(decoder: decoders.Decoder) -> str:
    return "linear" if isinstance(decoder, decoders.Linear) else "network"


def _line(model: Latent) -> dict[str, float]:
    """Return slope and intercept of a line in the table's own units; nothing of other decoders."""
    if not isinstance(model.decoder, decoders.Linear) or (model.decoder.latent, model.decoder.observed) != (1, 1):
        return {}
    low, high = model.decode(np.array([[0.0], [1.0]]))[:, 0]
    return {"slope": float(high - low), "intercept": float(low)}
