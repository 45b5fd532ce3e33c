"""Keras models of dense layers: built, put together, and written as `.keras` files that are the same bytes each time.

They hold layers of Keras alone (no Lambda), so they load with `safe_mode=True` and run no code of their own.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preimage.support.files import replacing


def keras_on_jax() -> Any:
    """Return Keras, on its JAX backend; to be called before anything else imports Keras."""
    os.environ["KERAS_BACKEND"] = "jax"
    return importlib.import_module("keras")


def dense(inputs: int, sizes: Sequence[int], activation: str | Callable[[Any], Any], name: str) -> Any:
    """Return an untrained Sequential: layers of `sizes`, of which the last has no activation.

    All is named here: the names that Keras gives count the models made before.
    """
    keras = keras_on_jax()
    layers = [keras.Input((inputs,), name="scaled_inputs")]
    for k, size in enumerate(sizes[:-1]):
        layers.append(keras.layers.Dense(size, activation, kernel_initializer="zeros", name=f"hidden_{k}"))
    layers.append(keras.layers.Dense(sizes[-1], kernel_initializer="zeros", name="output"))
    return keras.Sequential(layers, name=name)


Scales = tuple[np.ndarray, np.ndarray]


def ensemble(members: Sequence[Any], levels: Sequence[int], inputs: Scales, outputs: Scales) -> Any:
    """Return one model of points (n, d) as they are: scaled and encoded, mean of the members, scaled back.

    Args:
        levels: how many values each input has where it is a category, 0 where it is a number.
        inputs, outputs: centre and scale of each input (d,) and output (m,).
    """
    keras = keras_on_jax()
    keras.utils.clear_session(free_memory=False)  # operations (slices, one_hot) are named by a count of those before
    centre, scale = inputs
    x = keras.Input((len(levels),), name="inputs")
    z = keras.layers.Rescaling((1 / scale).tolist(), (-centre / scale).tolist(), name="scale_inputs")(x)
    if any(levels):
        columns = [
            keras.ops.one_hot(keras.ops.cast(z[:, j], "int32"), count) if count else z[:, j : j + 1]
            for j, count in enumerate(levels)
        ]
        z = keras.ops.concatenate(columns, axis=-1) if len(columns) > 1 else columns[0]
    each = [member(z) for member in members]
    mean = keras.layers.Average(name="mean")(each) if len(each) > 1 else each[0]
    back = keras.layers.Rescaling(outputs[1].tolist(), outputs[0].tolist(), name="outputs")
    return keras.Model(x, back(mean), name="ensemble")


def write(model: Any, path: Path) -> None:
    """Save a model; what Keras writes of the time of day and of memory addresses is left out."""
    with replacing(path) as temporary:
        dated = temporary.with_suffix(".keras")
        model.save(dated)
        with zipfile.ZipFile(dated) as source, zipfile.ZipFile(temporary, "w") as target:
            for name in sorted(source.namelist()):
                target.writestr(zipfile.ZipInfo(name), _undated(name, source.read(name)))
        dated.unlink()


def _undated(name: str, content: bytes) -> bytes:
    if name == "metadata.json":
        return json.dumps({**json.loads(content), "date_saved": ""}).encode()
    if name == "config.json":
        found: dict[str, int] = {}
        number = r'(?<="shared_object_id": )\d+'
        return re.sub(number, lambda m: str(found.setdefault(m[0], len(found) + 1)), content.decode()).encode()
    return content
