"""Surrogate `latent_classes`: one decoder a class; the class of an input is the one whose decoder explains it best.

Each class c has a decoder f_c from a few latent coordinates y to the inputs x. A prediction inverts all of them:
r_c = min over y of |x - f_c(y)|^2 + prior |y|^2, and gives exp(-r_c / T), normalised, as the classes' probabilities. So
a row needs no latent values of its own to be trained on; the outputs are one column of 0 and 1 a class.

Training minimises the mean r of the rows under their own class's decoder, which begins as the class's principal
components. By the envelope theorem (Milgrom and Segal 2002) the derivative of a minimum by parameters or inputs is that
of the function with the minimiser held: no step of the inner solver is differentiated. The temperature T is the
likeliest for the residuals of rows under decoders that never saw them. Decoders trained by inverting them: Bojanowski,
Joulin, Lopez-Paz, Szlam 2018, "Optimizing the latent space of generative networks".

The residual of the best class says more than the probabilities do, which add up to 1 for whatever is put in: it tells
inputs that are of no class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from preimage.data.rows import Rows
from preimage.data.split import folds as make_folds
from preimage.support import npz
from preimage.support.errors import StudyError
from preimage.support.files import read_json, replacing, write_json
from preimage.support.jax_setup import enable_double
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates.kinds.latent_classes import LatentClasses as Options
from preimage.surrogates.latent import check_numbers, decoders, padded, refuse_diverged
from preimage.surrogates.protocol import Traceable, Trained

ARRAYS, FORM = "latent_classes.npz", "latent_classes.json"
# Temperatures that are looked at, in units of the mean residual.
COLDEST, HOTTEST = 1e-4, 1e2
# Rows inverted at once, which bounds memory.
AT_ONCE = 1024


class Explanation(NamedTuple):
    """How each of C classes explains n rows: residuals (n, C) and latent values (n, C, K)."""

    residuals: np.ndarray
    latents: np.ndarray


@dataclass(frozen=True)
class Explaining:
    """The inversions of one form of model for JAX to trace: of (parameters, x (D,))."""

    decoder: Any
    inner: Any

    def all(self, held: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
        """Return residuals (C,) and latent values (C, K)."""
        import jax
        import jax.numpy as jnp

        z = (jnp.asarray(x, jnp.float64) - held["centre"]) / held["scale"]
        return jax.vmap(lambda p: explain(self.decoder, self.inner, p, z))(held["parameters"])

    def __call__(self, held: Mapping[str, Any], x: Any) -> Any:
        import jax

        return jax.nn.softmax(-self.all(held, x)[0] / held["temperature"])


def explain(f: Any, inner: Any, p: Any, z: Any) -> tuple[Any, Any]:
    """Return the residual of an input (D,) under one decoder, and its latent values (K,), which derivatives hold."""
    import jax

    from preimage.surrogates.latent.inner import misfit, solve

    y = jax.lax.stop_gradient(solve(f, inner, *jax.lax.stop_gradient((p, z))))
    return misfit(f, p, y, z, inner.prior), y


@dataclass(frozen=True)
class LatentClasses:
    """Trained decoders: a tree of arrays with a leading axis of the C classes; inputs are centred (D,) and all of one
    scale ()."""

    decoder: decoders.Network
    inner: Any
    parameters: decoders.Parameters
    centre: np.ndarray
    scale: np.ndarray
    temperature: np.ndarray

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes (n, C) at points (n, D)."""
        return likelihoods(self.explanation(X).residuals, float(self.temperature))

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities (n, C) and their derivatives (n, C, D) at points (n, D)."""
        function, held = self.traceable()
        slopes = np.asarray(_compiled(function, "slope")(held, padded(X)))[: len(X)]
        return self.predict(X), slopes

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return the deviation of a class's indicator under its probability, (n, C)."""
        p = self.predict(X)
        return np.sqrt(p * (1 - p))

    def explanation(self, X: np.ndarray) -> Explanation:
        """Return how each class explains points (n, D)."""
        function, held = self.traceable()
        program = _compiled(function, "all")
        parts = [X[k : k + AT_ONCE] for k in range(0, len(X), AT_ONCE)] or [X]
        found = [[np.asarray(a)[: len(part)] for a in program(held, padded(part))] for part in parts]
        return Explanation(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))

    def decode(self, latents: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the inputs (n, D) that decoders of classes (n,) make of latent values (n, K)."""
        import jax

        chosen = {k: np.asarray(v)[classes] for k, v in self.parameters.items()}
        return self.centre + self.scale * np.asarray(jax.vmap(self.decoder)(chosen, np.asarray(latents, float)))

    def traceable(self) -> Traceable:
        """Return the prediction for JAX to trace, in float64."""
        enable_double()
        held = {key: getattr(self, key) for key in ("parameters", "centre", "scale", "temperature")}
        return Traceable(Explaining(self.decoder, self.inner), held)

    def save(self, folder: Path) -> None:
        """Write arrays and what they are: no code."""
        arrays: dict[str, Any] = {f"parameters.{k}": np.asarray(v) for k, v in self.parameters.items()}
        with replacing(folder / ARRAYS) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays, centre=self.centre, scale=self.scale, temperature=self.temperature)
        write_json(folder / FORM, {"decoder": asdict(self.decoder), "inner": asdict(self.inner)})

    @classmethod
    def load(cls, folder: Path) -> LatentClasses:
        from preimage.surrogates.latent.inner import Inner

        enable_double()
        form = read_json(folder / FORM)
        about = form["decoder"]
        decoder = decoders.Network(about["latent"], about["observed"], tuple(about["layers"]))
        arrays = npz.read(folder / ARRAYS)
        names = [k for k in arrays if k.startswith("parameters.")]
        parameters = {k.removeprefix("parameters."): arrays[k] for k in names}
        rest = (arrays[k] for k in ("centre", "scale", "temperature"))
        return cls(decoder, Inner(**form["inner"]), parameters, *rest)


def train(rows: Rows, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Train on all rows, and beside that once for each fold left out, all at once.

    Args:
        options: the study's settings (latent, layers, inner, outer, folds).

    Raises StudyError where the outputs are no classes, an input is a category, or the training diverges.
    """
    enable_double()
    from preimage.surrogates.latent import inner, training

    check_numbers(rows)
    classes = classes_of(rows)
    decoder = decoders.Network(options.latent, rows.X.shape[1], tuple(options.layers))
    how, outer = inner.Inner.of(options.inner, "implicit"), training.Outer.of(options.outer)
    centre, scale = rows.X.mean(axis=0), np.array(rows.X.std())
    Z = (rows.X - centre) / scale
    block = blocks(classes, rows.Y.shape[1])
    fold = make_folds(rows.group, options.folds, rng)
    kept = np.array([np.ones(len(Z)), *((fold != k).astype(float) for k in range(fold.max() + 1))])
    weights = np.where(block >= 0, kept[:, block], 0.0)
    begin = _begin(decoder, Z, block, weights, rng)

    found, losses = training.minimise(
        lambda p, w: _own_residual(decoder, how, p, Z[block], w), begin, weights, outer, context.report
    )
    refuse_diverged(losses)

    def model(m: int, temperature: float = 1.0) -> LatentClasses:
        mine = {k: np.asarray(v[m]) for k, v in found.items()}
        return LatentClasses(decoder, how, mine, centre, scale, np.array(temperature))

    residuals = np.empty(rows.Y.shape)
    for k in range(fold.max() + 1):
        residuals[fold == k] = model(k + 1).explanation(rows.X[fold == k]).residuals
    T = temperature(residuals, classes)
    out_of_fold = likelihoods(residuals, T)
    trained = model(0, T)
    said = {
        "latent": decoder.latent,
        "layers": list(decoder.layers),
        "inner": f"{how.method}, {how.steps} steps",
        "outer": f"{outer.method}, {outer.iterations} iterations",
        "temperature": T,
        "training_loss": float(losses[0, -1]),
        "cross_validated_accuracy": float((out_of_fold.argmax(axis=1) == classes).mean()),
    }
    curve = [(k, float(loss), float("nan")) for k, loss in enumerate(losses[0])]
    spread = np.sqrt(out_of_fold * (1 - out_of_fold))
    return Trained(trained, trained.save, (out_of_fold, spread), said, curve=curve)


def load(folder: Path) -> LatentClasses:
    return LatentClasses.load(folder)


def logged(folder: Path) -> dict[str, Any]:
    """Return how a tracking server is to keep the model."""
    return {"flavor": "arrays", "path": str(folder), "packages": []}


def classes_of(rows: Rows) -> np.ndarray:
    """Return the class of each row (n,), the output that is 1; raises StudyError where that is not one of them, or a
    class has fewer than two rows."""
    whole = np.isin(rows.Y, (0.0, 1.0)).all(axis=1) & (rows.Y.sum(axis=1) == 1)
    if not whole.all() or rows.Y.shape[1] < 2:
        found = f"row {int(rows.numbers[~whole][0]) + 1} has {rows.Y[~whole][0].tolist()}" if not whole.all() else "one"
        raise StudyError(f"latent_classes: expected an output a class, 1 for the row's own and 0 for others; {found}")
    counts = rows.Y.sum(axis=0)
    if counts.min() < 2:
        k = int(counts.argmin())
        raise StudyError(
            f"latent_classes: class '{rows.outputs[k]}' has {counts[k]:g} training rows, expected 2 or more"
        )
    return np.asarray(rows.Y.argmax(axis=1))


def blocks(classes: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of each class's rows (count, most), filled up with -1."""
    mine = [np.flatnonzero(classes == c) for c in range(count)]
    most = max(len(m) for m in mine)
    return np.array([np.pad(m, (0, most - len(m)), constant_values=-1) for m in mine])


def likelihoods(residuals: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities (n, C) of residuals (n, C)."""
    z = -(residuals - residuals.min(axis=1, keepdims=True)) / temperature
    e: np.ndarray = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def temperature(residuals: np.ndarray, classes: np.ndarray) -> float:
    """Return the temperature under which the classes (n,) are likeliest given the residuals (n, C)."""

    def surprise(log: float) -> float:
        own = likelihoods(residuals, float(np.exp(log)))[np.arange(len(classes)), classes]
        return float(-np.log(np.maximum(own, 1e-300)).mean())

    unit = float(residuals.min(axis=1).mean()) or 1.0
    bounds = np.log(unit * np.array([COLDEST, HOTTEST]))
    return float(np.exp(minimize_scalar(surprise, bounds=bounds, method="bounded").x))


def _begin(
    decoder: decoders.Network, Z: np.ndarray, block: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> decoders.Parameters:
    """Return parameters to begin with (m, C, ...): mean and principal directions of each class, which are orthonormal,
    so that the inner problem is as well conditioned as can be."""
    first = decoder.initial(rng)
    found = {k: np.broadcast_to(v, (*weights.shape[:2], *v.shape)).copy() for k, v in first.items()}
    for m, c in np.ndindex(weights.shape[:2]):
        mine = Z[block[c][weights[m, c] > 0]]
        centre = mine.mean(axis=0)
        directions = np.linalg.svd(mine - centre, full_matrices=False)[2][: decoder.latent]
        slope = np.zeros((decoder.observed, decoder.latent))
        slope[:, : len(directions)] = directions.T
        found["slope"][m, c], found["intercept"][m, c] = slope, centre
    return found


def _own_residual(decoder: decoders.Network, inner: Any, p: Any, Z: Any, weights: Any) -> Any:
    """Return the mean residual an input of rows (C, n, D) under their own decoders, rows weighted (C, n)."""
    import jax

    one = jax.vmap(lambda p, Z: jax.vmap(lambda z: explain(decoder, inner, p, z)[0])(Z))
    return (weights * one(p, Z)).sum() / weights.sum() / Z.shape[-1]


@cache
def _compiled(function: Explaining, what: str) -> Any:
    """Return the compiled program of all inversions, or of the probabilities' derivatives."""
    import jax

    from preimage.support.jax_setup import cache_compiled_programs

    cache_compiled_programs()
    one = function.all if what == "all" else jax.jacrev(function, argnums=1)
    return jax.jit(jax.vmap(one, in_axes=(None, 0)))
