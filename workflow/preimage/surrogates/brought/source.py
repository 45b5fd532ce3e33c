"""Where the file of a model is, and what is said of it beside it: by a study's path, or in a folder from MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.support.files import read_json
from preimage.surrogates.base import SurrogateKind

# By the ending of a file: the module of this package that reads it.
FORMATS = {
    ".keras": "keras", ".skops": "skops", ".onnx": "onnx", ".json": "xgboost", ".ubj": "xgboost", ".txt": "lightgbm",
}  # fmt: skip
ABOUT = "model.json"
GAUSSIAN_PROCESS = "gaussian_process"
MLMODEL = "MLmodel"
# What a version of this workflow's registry consists of: a flavour, the surrogate's files, and what is known of it.
OWN, OWN_FILES, REGISTERED = "preimage", "surrogate", "about.json"
NUMBERS = frozenset(
    {"double", "float", "integer", "long", "boolean", "float64", "float32", "float16", "int64", "int32", "bool"}
)


class Source(NamedTuple):
    """A model's files.

    Attributes:
        format: a module of this package, or a kind of surrogate for this project's own files.
        file: the model; of this project's own, the folder that it saved itself into.
        beside: files that it refers to by name.
        inputs, outputs: names in the model's order, () where nothing names them.
    """

    format: str
    file: Path
    beside: tuple[Path, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def find(spec: Mapping[str, Any]) -> Source:
    """Return the source of a study's entry, fetched from MLflow where it names an address. Raises StudyError."""
    if "path" in spec:
        return Source(FORMATS[Path(spec["path"]).suffix], Path(spec["path"]))
    from preimage.tracking import models

    return in_folder(models.fetch(spec["uri"]), spec["uri"])


def in_folder(folder: Path, address: str) -> Source:
    """Return the source in what MLflow gave for an address: a folder of a flavour, of this project's own, or a file.

    Raises StudyError for a flavour that can run code when it is loaded, for a folder without a model, and for files
    that say what they can't.
    """
    try:
        return _in_folder(folder, address)
    except StudyError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, OSError, yaml.YAMLError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise StudyError(f"uri '{address}': what is said of the model beside it is damaged ({said})") from None


def _in_folder(folder: Path, address: str) -> Source:
    if folder.is_file() and folder.suffix in FORMATS:
        return Source(FORMATS[folder.suffix], folder)
    if (folder / MLMODEL).is_file():
        return _flavour(folder, address)
    if (folder / ABOUT).is_file():
        limits.check_file(folder / ABOUT, limits.BESIDE)
        about = read_json(folder / ABOUT)
        beside = tuple(sorted(folder.glob("*.data")))
        if about["format"] not in {*FORMATS.values(), *SurrogateKind.registry}:
            raise StudyError(f"uri '{address}': found a model of the format '{about['format']}', which is not known")
        file = _inside(folder, about["file"])
        return Source(about["format"], file, beside, tuple(about["inputs"]), tuple(about["outputs"]))
    if (folder / f"{GAUSSIAN_PROCESS}.npz").is_file():
        return Source(GAUSSIAN_PROCESS, folder)
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else [folder.name]
    raise StudyError(f"uri '{address}': found {', '.join(found) or 'nothing'}, expected a logged model")


def _flavour(folder: Path, address: str) -> Source:
    limits.check_file(folder / MLMODEL, limits.BESIDE)
    about = yaml.safe_load((folder / MLMODEL).read_text(encoding="utf-8"))
    flavours = about.get("flavors") or {}
    texts = "sklearn" in flavours
    inputs, outputs = (_names(about, part, address, texts) for part in ("inputs", "outputs"))
    inputs = inputs or tuple((about.get("metadata") or {}).get("inputs", ()))
    if OWN in flavours:
        return _registered(folder, flavours[OWN], address)
    if "keras" in flavours:
        file = _inside(folder, flavours["keras"].get("data", "data")) / "model.keras"
        if file.is_file():
            return Source("keras", file, (), inputs, outputs)
    if "sklearn" in flavours and flavours["sklearn"].get("serialization_format") == "skops":
        return Source("skops", _inside(folder, flavours["sklearn"]["pickled_model"]), (), inputs, outputs)
    if "onnx" in flavours:
        file = _inside(folder, flavours["onnx"]["data"])
        return Source("onnx", file, tuple(sorted(file.parent.glob("*.data"))), inputs, outputs)
    found = ", ".join(_described(name, flavours[name]) for name in sorted(flavours)) or "none"
    raise StudyError(
        f"uri '{address}': found the flavours {found}, which can run code when loaded; expected keras (a .keras file), "
        "onnx, or sklearn logged with serialization_format='skops'"
    )


def _inside(folder: Path, name: str) -> Path:
    """Return a file of a folder; raises ValueError for one that is not below it, by way of `..` or of a link."""
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"'{name}' leads out of the model's folder")
    return file


def _registered(folder: Path, flavour: Mapping[str, Any], address: str) -> Source:
    """Return the source of a model that `snakemake relearn` registered: arrays and the like, of a kind known here."""
    kind, known = str(flavour.get("kind")), list(SurrogateKind.registry)
    if kind not in known:
        raise StudyError(f"uri '{address}': found a surrogate of kind '{kind}', expected {', '.join(known)}")
    limits.check_file(folder / REGISTERED, limits.BESIDE)
    about = read_json(folder / REGISTERED)
    return Source(kind, folder / OWN_FILES, (), tuple(about["inputs"]), tuple(about["outputs"]))


def _described(name: str, flavour: Mapping[str, Any]) -> str:
    kind = flavour.get("serialization_format")
    return f"{name} ({kind})" if kind else name


def _names(about: Mapping[str, Any], part: str, address: str, texts: bool) -> tuple[str, ...]:
    """Return the column names of an MLflow signature, () where it has none or is of tensors.

    Args:
        texts: whether the model may take labels.

    Raises StudyError for a column that is no number, nor a category.
    """
    columns = json.loads((about.get("signature") or {}).get(part) or "[]")
    if any(c.get("type") == "tensor" for c in columns) or not all(c.get("name") for c in columns):
        return ()
    allowed = NUMBERS | {"string", "object"} if texts and part == "inputs" else NUMBERS
    for column in columns:
        if column["type"] not in allowed:
            raise StudyError(
                f"uri '{address}': {part[:-1]} '{column['name']}' is of type {column['type']}, expected numbers"
            )
    return tuple(column["name"] for column in columns)
