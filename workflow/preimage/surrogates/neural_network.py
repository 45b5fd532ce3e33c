"""Surrogate `neural_network`: an ensemble of dense networks. Keras trains and keeps them, JAX evaluates them.

The mean of the members predicts, and their standard deviation is the spread (deep ensembles: Lakshminarayanan, Pritzel,
Blundell 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles", NeurIPS 30). Members differ
by the random draws of their first weights and of the order of rows.

Inputs and outputs are standardised by the rows that a fit may use; a category becomes one input of 0 or 1 a value.
Losses, and with them the learning rate, are therefore in units of the outputs' standard deviations, and outputs weigh
the same. Networks are trained in float32 and inverted in float64: same weights, exact derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa

from preimage.core.portable import Portable
from preimage.data.rows import Rows
from preimage.data.split import folds as make_folds
from preimage.data.split import split
from preimage.exact import forms as exact_forms
from preimage.support import npz
from preimage.support.errors import StudyError
from preimage.support.files import replacing
from preimage.support.jax_setup import cache_compiled_programs, enable_double, use_one_thread
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates import few_points, keras_files
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.kinds.neural_network import NeuralNetwork as Options
from preimage.surrogates.protocol import Traceable, Trained

if TYPE_CHECKING:
    from preimage.surrogates.network_tuning import Design
    from preimage.surrogates.vmapped_training import Network as Member
    from preimage.surrogates.vmapped_training import Trainer

ARRAYS = "network.npz"
MODEL = "ensemble.keras"
SCALES = ("x_centre", "x_scale", "y_centre", "y_scale")
ROWS_AT_A_TIME = 4096


def selu(x: Any) -> Any:
    """The scaled exponential unit by exp, not expm1 (as JAX has it): the same to a rounding, and faster."""
    return 1.0507009873554805 * jnp.where(x > 0, x, 1.6732632423543772 * (jnp.exp(jnp.minimum(x, 0)) - 1))


# By the names of Keras, whose layers they equal.
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "selu": selu,
    "relu": jax.nn.relu,
    "elu": jax.nn.elu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
}


class Form(NamedTuple):
    """What a compiled program depends on beside shapes: the activation, and how many values each input has where it
    is a category, 0 where it is a number."""

    activation: str
    levels: tuple[int, ...]


class Parameters(NamedTuple):
    """The numbers of an ensemble.

    Attributes:
        x_centre, x_scale: of the inputs' encoding (d,).
        y_centre, y_scale: of the outputs (m,).
        kernels, biases: of all k members, by layer, (k, i, o) and (k, o).
    """

    x_centre: np.ndarray
    x_scale: np.ndarray
    y_centre: np.ndarray
    y_scale: np.ndarray
    kernels: list[np.ndarray]
    biases: list[np.ndarray]


def _members(form: Form, p: Parameters, x: Any) -> Any:
    """Return each member's outputs (k, m) at one point (d,)."""
    z = Encoding(np.array(form.levels), p.x_centre, p.x_scale)(x, jnp)
    h = jnp.broadcast_to(z, (len(p.kernels[0]), len(z)))
    for layer, (kernel, bias) in enumerate(zip(p.kernels, p.biases, strict=True)):
        h = h if layer == 0 else ACTIVATIONS[form.activation](h)
        h = jnp.einsum("ki,kio->ko", h, kernel) + bias
    return h * p.y_scale + p.y_centre


def _mean(form: Form, p: Parameters, x: Any) -> Any:
    return _members(form, p, x).mean(axis=0)


@dataclass(frozen=True)
class Mean:
    """The prediction of networks of one form: of parameters and a point (d,)."""

    form: Form

    def __call__(self, p: Parameters, x: Any) -> Any:
        return _mean(self.form, p, x)


def _slope(form: Form, p: Parameters, x: Any) -> Any:
    """Return outputs (m,) and derivatives (m, d) at one point (d,): one backward pass an output."""
    y, back = jax.vjp(partial(_mean, form, p), x)
    return y, jax.vmap(back)(jnp.eye(len(y), dtype=y.dtype))[0]


@partial(jax.jit, static_argnames=("form", "of"))
def _everywhere(of: Callable[..., Any], form: Form, p: Parameters, X: Any) -> Any:
    # Weights are arguments, not constants, so that models of one shape share a compiled program.
    return jax.vmap(partial(of, form, p))(X)


@dataclass(frozen=True)
class Network:
    """A trained ensemble, evaluated in float64.

    Attributes:
        history: (epoch, training loss, validation loss) of the first member's training, in scaled units; empty where
            the ensemble was loaded.
    """

    form: Form
    parameters: Parameters
    history: list[tuple[int, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        enable_double()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d): the mean of the members."""
        return self._evaluate(_mean, X)

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return the members' standard deviation (n, m) at points (n, d)."""
        return self.members(X).std(axis=1)

    def members(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs of all k members (n, k, m) at points (n, d)."""
        found: np.ndarray = self._evaluate(_members, X)
        return found

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n, m) and their derivatives by the inputs (n, m, d) at points (n, d); 0 by a category."""
        if len(X) > few_points.FEW:
            Y, slopes = self._evaluate(_slope, X)
            return Y, slopes
        p, encoding = self.parameters, self._encoding
        Y, J = few_points.outputs_and_slopes(encoding(np.asarray(X, float)), p.kernels, p.biases, self.form.activation)
        inputs, columns = encoding.numbers()
        slopes = np.zeros((len(X), Y.shape[1], len(self.form.levels)))
        slopes[..., inputs] = J[..., columns] * p.y_scale[:, None] / p.x_scale[inputs]
        return Y * p.y_scale + p.y_centre, slopes

    def traceable(self) -> Traceable:
        """Return the prediction for JAX to trace, in float64."""
        return Traceable(Mean(self.form), self._on_device)

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding(np.array(self.form.levels, int), self.parameters.x_centre, self.parameters.x_scale)

    @cached_property
    def _on_device(self) -> Parameters:
        """The parameters as JAX has them: handing them over takes longer than evaluating one point."""
        return jax.tree.map(jnp.asarray, self.parameters)

    def exact_form(self) -> exact_forms.Network:
        """Return the ensemble as arrays, for exact searches."""
        p = self.parameters
        kernels, biases = tuple(p.kernels), tuple(p.biases)
        columns = exact_forms.Columns.of(self._encoding)
        activations = (self.form.activation,) * (len(kernels) - 1)
        return exact_forms.Network(columns, activations, p.y_centre, p.y_scale, kernels, biases)

    def _evaluate(self, of: Callable[..., Any], X: np.ndarray) -> Any:
        """Evaluate at points (n, d), in blocks whose numbers of rows are powers of 2: each makes one program."""
        X, parts = np.asarray(X, float), []
        for start in range(0, max(len(X), 1), ROWS_AT_A_TIME):
            block = X[start : start + ROWS_AT_A_TIME]
            count = len(block)
            block = np.pad(block, ((0, (1 << max(count - 1, 0).bit_length()) - count), (0, 0)))
            parts.append(jax.device_get(_everywhere(of, self.form, self._on_device, block)))
            parts[-1] = jax.tree.map(lambda a, count=count: a[:count], parts[-1])
        return jax.tree.map(lambda *a: np.concatenate(a), *parts)

    def portable(self) -> Portable:
        """Return the ensemble as arrays, layer by layer."""
        p, layers = self.parameters, list[tuple[str, np.ndarray]]()
        for k, (kernel, bias) in enumerate(zip(p.kernels, p.biases, strict=True)):
            layers += [(f"kernel_{k}", kernel), (f"bias_{k}", bias)]
        scales = {"y_centre": p.y_centre, "y_scale": p.y_scale}
        arrays = {**dict(layers), **scales, **self._encoding.arrays()}
        return Portable("network", arrays, {"activation": self.form.activation, "layers": len(p.kernels)})

    def save(self, path: Path) -> None:
        """Write the ensemble as arrays: reading them takes no Keras, whose import is 3 s."""
        arrays = {f"kernel_{k}": a.astype(np.float32) for k, a in enumerate(self.parameters.kernels)}
        arrays |= {f"bias_{k}": a.astype(np.float32) for k, a in enumerate(self.parameters.biases)}
        arrays |= {name: getattr(self.parameters, name) for name in SCALES}
        arrays |= {"activation": np.array(self.form.activation), "levels": np.array(self.form.levels, int)}
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Network:
        arrays = npz.read(path)
        layers = range(sum(name.startswith("kernel_") for name in arrays))
        scales = {name: arrays[name] for name in SCALES}
        kernels, biases = ([arrays[f"{n}_{k}"].astype(float) for k in layers] for n in ("kernel", "bias"))
        form = Form(str(arrays["activation"]), tuple(arrays["levels"].tolist()))
        return cls(form, Parameters(**scales, kernels=kernels, biases=biases))


def load(folder: Path) -> Network:
    return Network.load(folder / ARRAYS)


def logged(folder: Path) -> dict[str, Any]:
    """Return how a tracking server is to keep the model: all members and scalings in one Keras model."""
    return {"flavor": "keras", "path": str(folder / MODEL), "packages": ["keras", "jax"]}


def train(known: Rows, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Train the ensemble, all members and folds at once; on one thread (see `use_one_thread`).

    Args:
        options: the study's settings (layers, activation, learning_rate, loss, batch, epochs, patience,
            validation_fraction, members, folds, tune).

    Raises StudyError where there are too few distinct inputs, or where no network got to a finite loss.
    """
    enable_double()
    use_one_thread()
    cache_compiled_programs()
    from preimage.surrogates import network_tuning as tuning
    from preimage.surrogates import vmapped_training as vmapped

    X, Y, levels = known.X, known.Y, known.levels
    fold, training, validation = _parts(known.group, options, rng)
    scales = [_scales(X[used], Y[used], levels) for used in training | validation]
    encoded = np.stack([Encoding(levels, *x)(X) for x, _ in scales])
    columns = Encoding(levels, *scales[0][0]).in_order_of_rows(encoded[0])
    rows = vmapped.data(encoded[..., columns], np.stack([(Y - y[0]) / y[1] for _, y in scales]), training, validation)
    trainer = trainers(rows.X.shape[2], Y.shape[1], options)
    design = tuning.Design(tuple(options.layers), options.activation, options.batch)
    rate, trials = float(options.learning_rate), list[dict[str, Any]]()
    if options.tune is not None:
        (design, rate), trials = tuning.tune(options, options.tune, trainer, rows, rng, context)

    fits, count = len(scales), options.members
    jobs = vmapped.Jobs(np.full(fits * count, rate), _seeds(rng, fits * count), np.repeat(np.arange(fits), count))
    trained = trainer(design).train(rows, jobs)
    if bad := sum(not np.isfinite(m.validation_loss) for m in trained):
        raise StudyError(f"neural_network: {bad} of {len(trained)} networks got to no finite loss with "
                         f"learning_rate {rate:g}; try a smaller one")  # fmt: skip
    form = Form(design.activation, tuple(int(n) for n in levels))
    place = np.full(encoded.shape[2], -1)
    place[columns] = np.arange(len(columns))
    networks = [_ensemble(form, s, trained[k * count : (k + 1) * count], place) for k, s in enumerate(scales)]
    parameters = {key: getattr(options, key) for key in ("loss", "patience", "members")}
    parameters |= {**design._asdict(), "layers": list(design.layers), "learning_rate": rate}
    parameters["epochs"] = [m.epochs for m in trained[:count]]
    out_of_fold = _out_of_fold(X, Y, fold, networks[1:])
    return Trained(networks[0], partial(_save, networks[0]), out_of_fold, parameters, trials, networks[0].history)


def _parts(group: np.ndarray, options: Options, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return the fold of each row (n,), and which rows each fit learns from and is judged on, each (fits, n).

    The first fit is the final one, on all rows; the others each leave one fold out.
    """
    if (count := len(np.unique(group))) < 4:
        raise StudyError(f"neural_network: found {count} distinct inputs in the training rows, expected 4 or more")
    fold = make_folds(group, options.folds, rng)
    used = np.stack([np.ones(len(group), bool), *(fold != k for k in np.unique(fold))])
    validation = np.zeros_like(used)
    for fit, rows in enumerate(used):
        at = np.flatnonzero(rows)
        _, held = split(pa.table({"group": group[at]}), ["group"], float(options.validation_fraction), rng)
        validation[fit, at[held]] = True
    return fold, used & ~validation, validation


def _scales(X: np.ndarray, Y: np.ndarray, levels: np.ndarray) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return centre and scale of points (n, d) and of outputs (n, m); not those of categories."""
    x, y = Encoding.of(X, levels), Encoding.of(Y, np.zeros(Y.shape[1], int))
    return (x.centre, x.scale), (y.centre, y.scale)


def _seeds(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(2**32, size=count, dtype=np.uint32)


def _ensemble(
    form: Form, scales: tuple[tuple[Any, Any], tuple[Any, Any]], members: list[Member], place: np.ndarray
) -> Network:
    """Return the networks as one; `place` is where each encoded column was in training (D,), -1 for a category's value
    that no row has, whose weights are 0."""
    weights = [np.stack(layer).astype(float) for layer in zip(*(m.weights for m in members), strict=True)]
    weights[0] = np.where(place[:, None] >= 0, weights[0][:, place], 0.0)
    history = [(k + 1, float(a), float(b)) for k, (a, b) in enumerate(members[0].history)]
    return Network(form, Parameters(*scales[0], *scales[1], weights[::2], weights[1::2]), history)


def _out_of_fold(
    X: np.ndarray, Y: np.ndarray, fold: np.ndarray, networks: list[Network]
) -> tuple[np.ndarray, np.ndarray]:
    """Return prediction and spread (n, m) at each row, by the networks that never saw its fold."""
    predicted, spread = np.empty(Y.shape), np.empty(Y.shape)
    for k, network in zip(np.unique(fold), networks, strict=True):
        held = fold == k
        predicted[held], spread[held] = network.predict(X[held]), network.spread(X[held])
    return predicted, spread


def trainers(inputs: int, outputs: int, options: Options) -> Callable[[Design], Trainer]:
    """Return a function that gives the trainer of a design, the same each time: what it has compiled stays."""
    from preimage.surrogates.vmapped_training import Trainer

    @cache
    def trainer(design: Design) -> Trainer:
        model = keras_files.dense(inputs, [*design.layers, outputs], ACTIVATIONS[design.activation], "network")
        limits = design.batch, options.epochs, options.patience
        return Trainer(model, keras_files.keras_on_jax().optimizers.Nadam(), options.loss, *limits)

    return trainer


def _save(network: Network, folder: Path) -> None:
    """Write the arrays, each member as a Keras model of scaled values, and all in one as a model of plain values."""
    form, p = network.form, network.parameters
    sizes, members = [kernel.shape[2] for kernel in p.kernels], []
    for k in range(len(p.kernels[0])):
        member = keras_files.dense(p.kernels[0].shape[1], sizes, form.activation, f"member_{k}")
        member.set_weights([a[k] for pair in zip(p.kernels, p.biases, strict=True) for a in pair])
        keras_files.write(member, folder / f"member_{k}.keras")
        members.append(member)
    whole = keras_files.ensemble(members, form.levels, (p.x_centre, p.x_scale), (p.y_centre, p.y_scale))
    keras_files.write(whole, folder / MODEL)
    network.save(folder / ARRAYS)
