"""`preimage certify model.json --maximize y --within "0 <= a <= 3"`: what is asked on a command line, as a study says
it."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

import preimage
from preimage.study.comparisons import without_comparison
from preimage.support.errors import StudyError, did_you_mean

ENDS = ("at_least", "at_most", "equals")
# A name that needs no backquotes, and anything between them.
_NAME = re.compile(r"\s*(?:`([^`]+)`|([^\W\d]\w*))\s*")
_AMONG = re.compile(_NAME.pattern + r"(?<=[\s`])in\s+(.+)")


def certify(asked: argparse.Namespace) -> int:
    """Print what is proven and return the exit status. Raises StudyError."""
    from preimage.certification.proof import EXIT

    space, constraints = space_of(asked.within, asked.integer)
    proof = preimage.certify(
        _model(asked.model, asked.surrogate),
        space,
        objective_of(asked),
        constraints=constraints,
        inputs=asked.inputs,
        outputs=asked.outputs,
        boxes=asked.boxes,
        seconds=asked.seconds,
        gap=asked.gap,
    )
    print(json.dumps(proof.plain()) if asked.json else proof)
    return EXIT[proof.status]


def space_of(within: Iterable[str], integer: Iterable[str]) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return inputs and constraints, as a study says them, of ranges and conditions. Raises StudyError."""
    inputs: dict[str, dict[str, Any]] = {}
    constraints: list[dict[str, Any]] = []
    for text in within:
        if among := _AMONG.fullmatch(text):
            name = among[1] or among[2]
            inputs.setdefault(name, {}).update(_listed(among[3]))
            continue
        row = _compared(text, "--within")
        if (name := _name(row["expression"])) is None:
            constraints.append(row)
        else:
            keys = {"at_least": "low", "at_most": "high", "equals": "fixed"}
            inputs.setdefault(name, {}).update({keys[end]: row[end] for end in ENDS if end in row})
    for name in integer:
        if name not in inputs:
            raise StudyError(f"--integer: no bounds of '{name}' under --within{did_you_mean(name, inputs)}")
        inputs[name]["integer"] = True
    return inputs, constraints


def objective_of(asked: argparse.Namespace) -> dict[str, Any]:
    """Return what is asked of the outputs, as a study says it. Raises StudyError."""
    entry: dict[str, Any] = {k: v for k in ("minimize", "maximize") if (v := getattr(asked, k))}
    if asked.target:
        rows = _ranges(asked.target, "--target")
        if wrong := next((name for name, row in rows.items() if "equals" not in row), None):
            raise StudyError(f"--target: expected '{wrong} = ' and a number; --band takes a range")
        entry["target"] = {name: row["equals"] for name, row in rows.items()}
    if asked.band:
        entry["within"] = _intervals(asked.band, "--band")
    if asked.subject_to:
        entry["subject_to"] = _intervals(asked.subject_to, "--subject-to")
    return entry if asked.tolerance is None else {**entry, "tolerance": asked.tolerance}


def _model(named: str, surrogate: str | None) -> Any:
    """Return a model by its file or address, or one of a folder of results."""
    if not Path(named).is_dir():
        if surrogate:
            raise StudyError(f"--surrogate: '{named}' is no folder of results")
        return named
    models = preimage.open(named).models
    if surrogate is None and len(models) != 1:
        raise StudyError(f"{named}: has {len(models)} models ({', '.join(models)}); name one with --surrogate")
    try:
        return models[surrogate or next(iter(models))]
    except KeyError as error:
        raise StudyError(str(error.args[0])) from None


def _intervals(texts: Iterable[str], option: str) -> dict[str, dict[str, float]]:
    rows = _ranges(texts, option)
    if wrong := next((name for name, row in rows.items() if "equals" in row), None):
        raise StudyError(f"{option}: found '{wrong} = {rows[wrong]['equals']:g}', expected a range")
    return rows


def _ranges(texts: Iterable[str], option: str) -> dict[str, dict[str, float]]:
    """Return the ends of each output by name."""
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        row = _compared(text, option)
        if (name := _name(row["expression"])) is None:
            raise StudyError(f"{option}: found '{row['expression']}', expected the name of an output")
        found.setdefault(name, {}).update({end: row[end] for end in ENDS if end in row})
    return found


def _compared(text: str, option: str) -> dict[str, Any]:
    try:
        row: Mapping[str, Any] = without_comparison({"expression": text})
    except PydanticCustomError as error:
        raise StudyError(f"{option}: {error.message()}") from None
    if not set(ENDS) & set(row):
        raise StudyError(f"{option}: found '{text}', expected a comparison, such as '0 <= a <= 3'")
    return dict(row)


def _name(expression: str) -> str | None:
    """Return the name that an expression consists of; None where it is more than one."""
    found = _NAME.fullmatch(expression)
    return (found[1] or found[2]) if found else None


def _listed(text: str) -> dict[str, Any]:
    """Return listed numbers as values, others as categories."""
    parts = [part.strip() for part in text.strip().strip("{}[]()").split(",")]
    try:
        return {"values": [float(part) for part in parts]}
    except ValueError:
        return {"categories": parts}
