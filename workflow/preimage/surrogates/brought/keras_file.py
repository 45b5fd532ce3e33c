"""A model in a `.keras` file, evaluated as a JAX function, with its exact derivatives.

The file's configuration is looked through before Keras sees it: only Keras's own layers and operations are let in, as
`safe_mode` alone has been got round (CVE-2025-1550, CVE-2025-8747, CVE-2025-9906). Weights are those of the file;
arithmetic is in double precision where the layers allow it.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import json
import math
import re
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.exact.forms import Columns, Form
from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.support.jax_setup import cache_compiled_programs, enable_double
from preimage.surrogates.brought import joined, keras_layers
from preimage.surrogates.brought.layered import Neurons
from preimage.surrogates.brought.signature import Signature, rounded
from preimage.surrogates.keras_files import keras_on_jax

CONFIG = "config.json"
ROWS_AT_A_TIME = 4096
# Of each weight: its own, an optimiser's two or three, and what loading and evaluating take.
COPIES = 8
# As JAX writes them in a program.
FLOATS = {"bf16": jnp.bfloat16, "f16": jnp.float16, "f32": jnp.float32}

MODULES = frozenset(
    {"keras", "keras.random", "keras.src.models.functional", "keras.src.models.sequential"}
    | {
        f"keras.{part}"
        for part in ("constraints", "dtype_policies", "initializers", "layers", "models", "regularizers")
    }
)
OPERATIONS = ("keras.src.ops.", "keras.src.layers.")
VALUES = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"})
RUN_CODE = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})


@dataclass(frozen=True)
class Architecture:
    """A model without its weights, as a function of them; models of one configuration are equal and so share compiled
    programs."""

    digest: str
    model: Any = field(compare=False, repr=False)
    single: bool
    double: bool

    def batch(self, parameters: Any, X: Any) -> Any:
        """Return outputs (n, m) in float64 at points (n, d)."""
        trees = keras_on_jax().tree
        columns = X if self.single else [X[:, k : k + 1] for k in range(X.shape[1])]
        if not isinstance(self.model, keras_on_jax().Sequential):
            columns = trees.pack_sequence_as(self.model.input, [columns] if self.single else columns)
        with _floats(self.double):
            found, _ = self.model.stateless_call(*parameters, columns, training=False)
        parts = [jnp.asarray(y, float).reshape(len(X), -1) for y in trees.flatten(found)]
        return jnp.concatenate(parts, axis=1)

    def __call__(self, parameters: Any, x: Any) -> Any:
        """Return outputs (m,) at one point (d,)."""
        return self.batch(parameters, x[None])[0]

    def slope(self, parameters: Any, X: Any) -> Any:
        """Return outputs (n, m) and derivatives (n, m, d) at points (n, d): one backward pass an output."""

        def one(x: Any) -> Any:
            y, back = jax.vjp(partial(self, parameters), x)
            return y, jax.vmap(back)(jnp.eye(len(y)))[0]

        return jax.vmap(one)(X)


@partial(jax.jit, static_argnames="of")
def _everywhere(of: Callable[..., Any], parameters: Any, X: Any) -> Any:
    return of(parameters, X)


@dataclass(frozen=True)
class KerasModel:
    """A loaded model; `parameters` are its trainable variables and the others, `whole` says which inputs take whole
    numbers only."""

    architecture: Architecture
    parameters: tuple[list[Any], list[Any]]
    signature: Signature
    resolution: float
    whole: np.ndarray = field(default_factory=lambda: np.zeros(1, bool))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d)."""
        found: np.ndarray = self._evaluate(self.architecture.batch, X)
        return found

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n, m) and their derivatives by the inputs (n, m, d) at points (n, d)."""
        Y, slopes = self._evaluate(self.architecture.slope, X)
        return Y, slopes

    def traceable(self) -> tuple[Callable[[Any, Any], Any], Any]:
        """Return the prediction as a function of (parameters, one point (d,)), and the parameters."""
        return self.architecture, self.parameters

    def exact_form(self) -> Form:
        """Return the network as arrays that exact searches bound. Raises StudyError, by name, for a layer that has no
        bounds here."""
        count = self.signature.inputs or 1
        columns = Columns(np.arange(count), np.zeros(count, np.int64), np.zeros(count), np.ones(count))
        single = self.resolution > float(np.finfo(float).eps)
        inputs = Neurons(count)
        return joined.form([keras_layers.followed(self.architecture.model, inputs)], [1.0], inputs, columns, single)

    def _evaluate(self, of: Callable[..., Any], X: np.ndarray) -> Any:
        """Evaluate at points (n, d), in blocks whose numbers of rows are powers of 2: each makes one program."""
        X, parts = rounded(X, self.whole), []
        for start in range(0, max(len(X), 1), ROWS_AT_A_TIME):
            block = X[start : start + ROWS_AT_A_TIME]
            count = len(block)
            padding = (1 << max(count - 1, 0).bit_length()) - count
            block = np.pad(block, ((0, padding), (0, 0)), mode="edge" if count else "constant")
            found = jax.device_get(_everywhere(of, self.parameters, block))
            parts.append(jax.tree.map(lambda a, count=count: a[:count], found))
        return jax.tree.map(lambda *a: np.concatenate(a), *parts)


def read(path: Path, double: bool = True) -> KerasModel:
    """Load a model of Keras's own layers, in double precision or as it was saved. Raises StudyError."""
    config = _checked(path)
    enable_double()
    cache_compiled_programs()
    weights = _weights(config, path)
    with _floats(double):
        model = _loaded(path, _in_double(config) if double else config, weights)
    try:
        inputs, outputs = model.inputs, model.outputs
        widths = [[int(np.prod(t.shape[1:])) for t in part] for part in (inputs, outputs)]
    except (AttributeError, TypeError, ValueError):
        raise StudyError(f"{path}: the shapes of its inputs and outputs aren't known; save a built model") from None
    if any(t.dtype == "string" for t in inputs):
        raise StudyError(f"{path}: takes text, expected numbers")
    if len(inputs) > 1 and set(widths[0]) != {1}:
        found = [f"{t.name} {tuple(t.shape)}" for t in inputs]
        raise StudyError(f"{path}: found inputs {found}, expected one of all columns, or one a column")
    signature = Signature(
        sum(widths[0]),
        sum(widths[1]),
        tuple(t.name for t in inputs) if len(inputs) > 1 else (),
        tuple(model.output_names) if len(outputs) > 1 and set(widths[1]) == {1} else (),
    )
    parameters = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    digest = hashlib.sha256(json.dumps([config, double], sort_keys=True).encode()).hexdigest()
    architecture = Architecture(digest, model, len(inputs) == 1, double)
    try:
        resolution = _resolution(architecture, parameters, sum(widths[0]))
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise StudyError(f"{path}: can't be evaluated by JAX ({said[:300]})") from None
    whole = np.array([str(t.dtype).lstrip("u").startswith("int") for t in inputs])
    return KerasModel(architecture, parameters, signature, resolution, whole)


def _resolution(architecture: Architecture, parameters: Any, inputs: int) -> float:
    """Return the coarsest rounding of any number on the way from a point to its outputs."""
    program = str(jax.make_jaxpr(architecture)(parameters, jnp.zeros(inputs)))
    found = {FLOATS[name] for name in re.findall(r"\b(bf16|f16|f32)\[", program)}
    return max(float(jnp.finfo(dtype).eps) for dtype in [*found, jnp.float64])


def _checked(path: Path) -> dict[str, Any]:
    """Return a file's configuration, if loading it can run no code of its own. Raises StudyError."""
    try:
        with limits.archive(path) as archive:
            config = json.loads(limits.document(archive, CONFIG))
    except StudyError:
        raise
    except MemoryError:
        raise limits.too_much(path) from None
    except (
        OSError,
        KeyError,
        ValueError,
        RecursionError,
        NotImplementedError,
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
    ):
        raise StudyError(f"{path}: damaged, or no .keras file (a zip archive with {CONFIG})") from None
    if not isinstance(config, dict):
        raise StudyError(f"{path}: damaged: {CONFIG} is no mapping")
    config["compile_config"] = None  # losses and optimisers are no part of a prediction
    for part in _parts(config):
        if (reason := _danger(part)) is not None:
            raise StudyError(f"{path}: loading it could run code: found {reason}, expected Keras's own layers only")
    return config


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every mapping in a value that says of what class an object is to be made."""
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, Mapping):
            if "class_name" in current:
                yield current
            pending += current.values()
        elif isinstance(current, list):
            pending += current


def _danger(part: Mapping[str, Any]) -> str | None:
    """Return what is not Keras's own, or runs code, in one object's configuration; None where nothing is."""
    name, module = str(part["class_name"]), str(part.get("module") or "")
    label = (part.get("config") or {}).get("name") if isinstance(part.get("config"), Mapping) else None
    shown = f"{name}{f' layer {label!r}' if label else ''}"
    if name in RUN_CODE or name == "__lambda__":
        return f"a {shown}"
    if name in VALUES and not module:
        return None
    if name == "function" and module == "builtins" and part.get("registered_name") == part.get("config"):
        return None  # a name that Keras looks up among its own activations, initializers and the like
    own = module in MODULES or module.startswith(OPERATIONS)
    if not own or ">" in str(part.get("registered_name") or "") or name == "function":
        return f"the class {module + '.' if module else ''}{shown}"
    return None


def _weights(config: Mapping[str, Any], path: Path) -> int:
    """Return how many weights a configuration asks for; none is made for that. Raises StudyError for more than fit."""
    keras = keras_on_jax()
    with warnings.catch_warnings(), keras.StatelessScope(initialize_variables=False):
        warnings.simplefilter("ignore")
        try:
            model = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)  # Keras alters it
            count = sum(math.prod(v.shape) for v in model.variables)
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise StudyError(f"{path}: Keras can't load it ({said[:300]})") from None
        finally:
            importlib.import_module("keras.src.backend.common.global_state").set_global_attribute(
                "uninitialized_variables", []
            )
    if count > (most := limits.process_memory() // (8 * COPIES)):
        raise StudyError(f"{path}: has {count} weights, expected at most {most}, which fit into memory {COPIES} times")
    return count


@contextmanager
def _floats(double: bool) -> Iterator[None]:
    """Let Keras make float64 of what has no type of its own: models in models, inputs, constants of operations.

    On JAX it also makes float32 of a float64 that is joined with another type (in batch normalisation, in tanh). To
    leave that out is no public setting; where Keras has it no more, `_resolution` finds the float32.
    """
    settings = keras_on_jax().config
    before = settings.floatx(), settings.dtype_policy()
    promotion = getattr(importlib.import_module("keras.src.backend.common.dtypes"), "BIT64_TO_BIT32_DTYPE", {})
    forced = dict(promotion)
    if double:
        settings.set_floatx("float64")
        settings.set_dtype_policy("float64")
        promotion.pop("float64", None)
    try:
        yield
    finally:
        settings.set_floatx(before[0])
        settings.set_dtype_policy(before[1])
        promotion.update(forced)


def _in_double(value: Any, key: str = "", policy: bool = False) -> Any:
    """Return a configuration with float64 wherever it says float32; names are left alone, but those of policies."""
    if isinstance(value, Mapping):
        policy = policy or value.get("class_name") == "DTypePolicy"
        return {k: _in_double(v, k, policy and k in ("config", "name")) for k, v in value.items()}
    if isinstance(value, list):
        return [_in_double(v, key) for v in value]
    return "float64" if value == "float32" and (key != "name" or policy) else value


def _loaded(path: Path, config: Mapping[str, Any], weights: int) -> Any:
    keras = keras_on_jax()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = Path(folder) / "model.keras"
        try:
            with limits.archive(path) as source, zipfile.ZipFile(copy, "w") as target:
                for name in source.namelist():
                    with target.open(name, "w", force_zip64=True) as out, source.open(name) as member:
                        if name == CONFIG:
                            out.write(json.dumps(config).encode())
                        else:
                            shutil.copyfileobj(member, out)
                            _check_arrays(member, weights)
            return keras.saving.load_model(copy, compile=False, safe_mode=True)
        except MemoryError:
            raise limits.too_much(path) from None
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise StudyError(f"{path}: Keras can't load it ({said[:300]})") from None


def _check_arrays(member: IO[bytes], weights: int) -> None:
    """Raise ValueError where a file of HDF5 has arrays, however well they are packed, beyond those of the model's
    weights and of an optimiser."""
    import h5py

    member.seek(0)
    if member.read(4) != b"\x89HDF":
        return
    total = 0

    def add(_: str, found: Any) -> None:
        nonlocal total
        total += found.nbytes if isinstance(found, h5py.Dataset) else 0

    with h5py.File(member, "r") as opened:
        opened.visititems(add)
    if total > 8 * COPIES * weights + limits.SMALL:
        raise ValueError(f"its file of weights holds {limits.shown(total)} for a model of {weights} weights")
