"""Models of a user's own, loaded and tried before any job, in a process apart.

A file may ask for more memory than there is, for an answer that takes for ever, or for what ends Python in compiled
code. What can be seen to be so is refused as it is read; this ends the rest, within `preimage.support.limits`.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from preimage.support import child_process, limits
from preimage.support.errors import StudyError
from preimage.surrogates.brought.categories import Column, columns_of
from preimage.surrogates.brought.source import Source, find

MODULE = "preimage.surrogates.brought.trial"


def check(
    models: Mapping[str, Mapping[str, Any]],
    inputs: Sequence[Column | str],
    outputs: Sequence[str],
    X: np.ndarray,
    searched: Collection[str] = (),
) -> None:
    """Try a study's entries of kind `model`, by name, at points (n, d): see `preimage.surrogates.model.check`.

    Args:
        searched: those that a method needs as arrays of trees.

    Raises StudyError, with the file as the user has named it.
    """
    found, size, question = dict[str, Source](), 0, list[Any]()
    for name, spec in models.items():
        try:
            found[name] = find(spec)
            size += _size(found[name])
        except StudyError as error:
            raise _refused(name, spec, found.get(name), str(error)) from None
        question.append([name, spec, found[name], name in searched])
    if not question:
        return
    most = limits.seconds(size)
    ended = child_process.ask(
        MODULE, {"models": question, "inputs": columns_of(inputs), "outputs": outputs, "X": X.tolist()}, most
    )
    name, complaint = ended.answers[-1] if ended.answers else (next(iter(models)), _ending(ended, most))
    complaint = _ending(ended, most) if complaint is None else complaint
    if complaint:
        raise _refused(name, models[name], found[name], complaint)


def _size(source: Source) -> int:
    """Return the bytes of a model's files. Raises StudyError where one is too large to be looked into."""
    own = [p for p in source.file.rglob("*") if p.is_file()] if source.file.is_dir() else [source.file]
    return sum(limits.check_file(file) for file in [*own, *source.beside])


def _ending(ended: child_process.Ended, seconds: float) -> str:
    """Say how a process ended that gave no answer."""
    if ended.status is None:
        return f"it was not loaded, and asked for a few points, within {seconds:.0f} s; it is damaged, or far too slow"
    if ended.status == -signal.SIGKILL:
        return "loading it, and asking it for a few points, took more memory than there is"
    return (
        f"loading it, and asking it for a few points, ended Python (status {ended.status}) and said: {ended.said[:300]}"
    )


def _refused(name: str, spec: Mapping[str, Any], source: Source | None, said: str) -> StudyError:
    """Return the error of an entry. It names the file as the user has, not where it was downloaded to."""
    own = str(spec.get("path") or spec["uri"])
    if source is not None and "uri" in spec:
        said = said.replace(str(source.file), own)
    return StudyError(f"key 'surrogates.{name}': {said if own in said else f'{own}: {said}'}")


def main() -> NoReturn:
    """Answer with the name of each model before it is loaded, and at last with what is wrong; "" where nothing is."""
    answers = child_process.Answers()
    limits.bound()
    asked = json.load(sys.stdin)
    X, inputs = np.array(asked["X"]), [Column(name, tuple(labels)) for name, labels in asked["inputs"]]
    for name, spec, (form, file, beside, *names), searched in asked["models"]:
        answers.give((name, None))
        source = Source(form, Path(file), tuple(map(Path, beside)), *map(tuple, names))
        if complaint := _complaint(spec, source, inputs, asked["outputs"], X, searched):
            answers.give((name, complaint))
            answers.end()
    answers.give(("", ""))
    answers.end()


def _complaint(
    spec: Mapping[str, Any], source: Source, inputs: list[Column], outputs: list[str], X: np.ndarray, searched: bool
) -> str:
    try:
        from preimage.surrogates import model

        model.check_source(source, spec, inputs, outputs, X, searched)
    except StudyError as error:
        return str(error)
    except MemoryError:
        return str(limits.too_much(source.file))
    except Exception as error:  # whatever the parts of a file may raise
        return " ".join(f"{source.file}: can't be loaded ({type(error).__name__}: {error})".split())[:500]
    return ""


if __name__ == "__main__":
    main()
