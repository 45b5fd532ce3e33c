"""What is wrong with a value, and where: pydantic's errors in our words, with the line of the file that has it.

Errors name the file, the line, the key, what was found and what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from preimage.study.yaml_file import kind_of, line, short
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.frozen import Frozen

F = TypeVar("F", bound=Frozen)
Where = tuple[Any, ...]

# Sizes of numbers between which products and ratios of a few can't overflow.
SMALLEST_NUMBER, LARGEST_NUMBER = 1e-100, 1e100
UNKNOWN = "unknown key"
# Keys of earlier versions: the present one, and what it stands for.
RENAMED = {"robust": ("committee", "ranking by a committee of models")}
TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}
# Pydantic's names of errors of type, and the type of JSON that was expected.
OF_TYPE = {
    **dict.fromkeys(("string_type", "kind_type"), "string"),
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "integer"),
    **dict.fromkeys(("float_type", "float_parsing"), "number"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "mapping_type"), "object"),
    "bool_type": "boolean",
    "list_type": "array",
}
BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def checked(value: Any, model: type[F], path: str | Path) -> F:
    """Return the object that a value stands for; raise StudyError naming file, line and key where it is none."""
    try:
        # Numbers without bounds first, as no message could show them.
        where, message = next(_not_finite(value, ()))
    except StopIteration:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            where, message = _first(error, value, model)
    raise located(path, where, message)


def located(path: str | Path, where: Where, message: str) -> StudyError:
    """Return the error that says this of the key at a path of keys in a file."""
    key = f", key '{'.'.join(map(str, where))}'" if where else ""
    return StudyError(f"{path}{line(path, where)}{key}: {message}")


def _first(error: ValidationError, value: Any, model: type[Frozen]) -> tuple[Where, str]:
    """Return place and message of the error to name: an unknown key before others, as it is likely their cause."""
    errors = error.errors(include_url=False)
    chosen = next((e for e in errors if e["type"] == "unknown_key"), errors[0])
    where = tuple(_keys(chosen["loc"], value))
    match chosen["type"]:
        case "missing":
            return where[:-1], f"missing key '{where[-1]}'"
        case "unknown_key":
            return (where := (*where, chosen["ctx"]["key"])), _unknown(where, chosen["ctx"]["valid"], model)
        case "kind" | "kind_type":
            return (*where, "kind"), _message(chosen)
        case _:
            return where, _message(chosen)


def _unknown(where: Where, valid: Collection[str], model: type[Frozen]) -> str:
    if len(where) > 1 and where[-1] in model.model_fields:
        return f"{UNKNOWN} here; '{where[-1]}' belongs at the top level, beside '{where[0]}'"
    if (now := RENAMED.get(where[-1])) and now[0] in valid:
        return f"{UNKNOWN}; it is named '{now[0]}' now ({now[1]})"
    # To look for the nearest names of a hundred thousand unknown ones would take minutes: this is the first.
    return f"{UNKNOWN}{did_you_mean(str(where[-1]), valid)}"


def _keys(loc: Where, value: Any) -> Iterator[Any]:
    """Yield the keys of a place, without pydantic's marks of which of several types was taken."""
    for step in loc:
        if (isinstance(value, Mapping) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        ):
            value = value[step]
        elif isinstance(step, str) and step.startswith("<") and step.endswith(">"):
            continue
        yield step


def _message(error: Any) -> str:
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    if kind in OF_TYPE or kind == "types":
        expected = context["types"].split(",") if kind == "types" else [OF_TYPE[kind]]
        value = found["kind"] if kind == "kind_type" else found
        return f"found {kind_of(value)}, expected {' or '.join(TYPES[t] for t in expected)}"
    if kind == "kind":
        return f"unknown kind '{found['kind']}'{did_you_mean(found['kind'], context['valid'])}"
    if kind in BOUNDS:
        key, relation = BOUNDS[kind]
        bound = context[key]
        return f"found {found}, expected {relation} {int(bound) if bound == int(bound) else bound}"
    if kind == "literal_error":
        valid = [text for _, text in re.findall(r"""(['"])(.*?)\1(?=, | or |$)""", context["expected"])]
        return f"found '{short(found)}', expected one of {', '.join(valid)}{did_you_mean(str(found), valid)}"
    if kind == "choices":
        keys = ", ".join(map(str, found)) or "none"
        return f"found keys {keys}; expected {context['many']} one of {context['groups']}"
    if kind == "string_pattern_mismatch":
        return f"found '{short(found)}', expected letters, digits, '_' and '-' only, starting with a letter or digit"
    if kind.endswith("too_short"):
        return short(f"{found!r} {'should be non-empty' if context['min_length'] == 1 else 'is too short'}")
    if kind.endswith("too_long"):
        return short(f"{found!r} is too long")
    return f"found {short(found)}, {error['msg']}" if kind == "distinct" else str(error["msg"])


def _not_finite(value: Any, where: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, Mapping | list):
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _not_finite(item, (*where, key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, f"found {value}, expected a finite number"
    elif isinstance(value, int | float) and value and not SMALLEST_NUMBER <= abs(value) <= LARGEST_NUMBER:
        found = value if isinstance(value, float) else "a whole number of over 100 digits"
        yield where, f"found {found}, expected 0 or a number of {SMALLEST_NUMBER:g} to {LARGEST_NUMBER:g} in size"
