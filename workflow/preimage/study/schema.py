"""The closed schemas of study and config: reading YAML, checking it, filling defaults.

Errors name the file, the line, the key, what was found and what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from preimage.support.errors import StudyError, did_you_mean
from preimage.support.places import WORKFLOW

FOLDER = WORKFLOW / "schemas"
# A study is a page of text; anything much larger is not one (and aliases could make it larger still).
LARGEST = 1_000_000
# Sizes of numbers between which products and ratios of a few can't overflow.
SMALLEST_NUMBER, LARGEST_NUMBER = 1e-100, 1e100
UNKNOWN = "unknown key"


class _Loader(yaml.SafeLoader):
    """Safe YAML of the 1.2 kind: 1e-3 is a number; `on`, `no`, 1:30, 010 and 2020-01-01 are text.

    Keys are text as written, so that a column may be called 1. No alias and no key said twice is taken.
    """

    aliases = False

    def compose_node(self, parent: Any, index: Any) -> Any:
        if not self.aliases and self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise StudyError(f"line {event.start_mark.line + 1}: aliases (*{event.anchor}) are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise StudyError(f"line {key.start_mark.line + 1}: found a list or mapping as a key, expected text")
            key.tag = "tag:yaml.org,2002:str"
            if key.value in seen:
                raise StudyError(
                    f"line {key.start_mark.line + 1}, key '{key.value}': said before in line {seen[key.value]}"
                )
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


# YAML 1.1 reads the key `on` as true, 1:30 as 90, 010 as 8 and 2020-01-01 as a date; YAML 1.2 does not.
_NARROWED = {"bool", "int", "float", "timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _NARROWED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind_of, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9]\d*)|0x[\da-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+", "-+0123456789."),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind_of}", re.compile(rf"^({_pattern})\Z"), list(_first))


def read(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of one mapping. Raises StudyError where it is missing, too large, or no such thing."""
    path = Path(path)
    if path.is_dir():
        raise StudyError(f"{path}: found a directory, expected a YAML file")
    try:
        if path.stat().st_size > LARGEST:
            raise StudyError(f"{path}: {path.stat().st_size} bytes, expected at most {LARGEST}")
        if not path.is_file():  # a pipe, or a device that has no end
            raise StudyError(f"{path}: found no regular file, expected a YAML file")
        value = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file{_nearest_file(path)}") from None
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path}: found bytes that are not UTF-8 text, expected YAML") from None
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from None
    except (RecursionError, ValueError) as error:  # nested without end; a number of a million digits
        raise StudyError(f"{path}: can't be read: {error}") from None
    if not isinstance(value, dict):
        raise StudyError(f"{path}: found {_kind(value)}, expected a mapping of keys")
    return value


def _nearest_file(path: Path) -> str:
    beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    return did_you_mean(path.name, beside) if beside else ""


class _SchemaLoader(_Loader):
    aliases = True


class _OurLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same for the schemas, which are ours: in C where that is there, as every start of Snakemake reads them."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


@cache
def load_schema(name: str) -> dict[str, Any]:
    """Return the schema `name` ("study" or "config")."""
    return yaml.load((FOLDER / f"{name}.schema.yaml").read_text(encoding="utf-8"), _OurLoader)


def check(value: Any, name: str, path: str | Path) -> dict[str, Any]:
    """Return `value` with defaults filled in; raise StudyError naming file, line and key where it breaks the schema."""
    schema = load_schema(name)
    # Numbers without bounds first, as no message could show them; then unknown keys, the likeliest cause of the rest.
    found = list(_not_finite(value, ()))
    found = found or sorted(_errors(value, schema, ()), key=lambda error: not error[1].startswith(UNKNOWN))
    for where, message in found:
        if message.startswith(UNKNOWN) and len(where) > 1 and where[-1] in schema["properties"]:
            message = f"{UNKNOWN} here; '{where[-1]}' stands at the top level, beside '{where[0]}'"
        key = f", key '{_dotted(where)}'" if where else ""
        raise StudyError(f"{path}{_line(path, where)}{key}: {message}")
    return _filled(value, schema)


def with_defaults(value: Any, name: str, key: str) -> Any:
    """Return the valid value of one key of a schema with its defaults, where a schema can't say that it needs any."""
    return _filled(value, load_schema(name)["properties"][key])


# -- errors ------------------------------------------------------------------------------------------------------------


def _errors(value: Any, schema: Mapping[str, Any], where: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield (path, message)."""
    for error in Draft202012Validator(schema).iter_errors(value):
        at = (*where, *error.absolute_path)
        if error.validator in ("oneOf", "anyOf") and not isinstance(error.instance, Mapping):
            continue  # said already: of the wrong type
        if error.validator == "oneOf" and "discriminator" in error.schema:
            yield from _branch_errors(error, at)
        elif error.validator == "additionalProperties":
            valid = error.schema.get("properties", {})
            # The first is what is said; to look for the nearest names of a hundred thousand would take minutes.
            key = next(key for key in error.instance if key not in valid)
            yield (*at, key), f"{UNKNOWN}{did_you_mean(str(key), valid)}"
        else:
            yield at, _message(error)


def _branch_errors(error: Any, at: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    branches = {b["title"]: b for b in error.schema["oneOf"]}
    kind = error.instance.get(error.schema["discriminator"])
    if not isinstance(kind, str):
        return  # said already: of the wrong type, or missing
    if kind not in branches:
        yield (*at, "kind"), f"unknown kind '{kind}'{did_you_mean(str(kind), branches)}"
    else:
        yield from _errors(error.instance, branches[kind], at)


TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}


def _message(error: Any) -> str:
    found, wanted = error.instance, error.validator_value
    match error.validator:
        case "type":
            expected = " or ".join(TYPES[w] for w in (wanted if isinstance(wanted, list) else [wanted]))
            return f"found {_kind(found)}, expected {expected}"
        case "required":
            missing = [key for key in wanted if key not in found]
            return f"missing key '{missing[0]}'"
        case "oneOf" | "anyOf":
            choices = " | ".join(" + ".join(b["required"]) for b in wanted)
            many = "exactly one of" if error.validator == "oneOf" else "at least one of"
            return f"found keys {', '.join(map(str, found)) or 'none'}; expected {many} {choices}"
        case "enum":
            return f"found '{_short(found)}', expected one of {', '.join(wanted)}{did_you_mean(str(found), wanted)}"
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            relation = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
            return f"found {found}, expected {relation.get(str(error.validator), 'less than')} {wanted}"
        case "pattern":
            return (
                f"found '{_short(found)}', expected letters, digits, '_' and '-' only, starting with a letter or digit"
            )
        case "uniqueItems":
            return f"found {_short(found)}, expected no entry twice"
        case _:
            return _short(error.message)


def _not_finite(value: Any, where: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, Mapping | list):
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _not_finite(item, (*where, key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, f"found {value}, expected a finite number"
    elif isinstance(value, int | float) and value and not SMALLEST_NUMBER <= abs(value) <= LARGEST_NUMBER:
        found = value if isinstance(value, float) else "a whole number of over 100 digits"
        yield where, f"found {found}, expected 0 or a number of {SMALLEST_NUMBER:g} to {LARGEST_NUMBER:g} in size"


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", type(None): "nothing", bool: "true or false"}
    if type(value) in names:
        return names[type(value)]
    if isinstance(value, str):
        return f"text '{_short(value)}'"
    return f"the number {_short(value)}" if isinstance(value, int | float) else f"a {type(value).__name__}"


def _short(value: Any) -> str:
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _dotted(where: tuple[Any, ...]) -> str:
    return ".".join(str(w) for w in where)


def _line(path: str | Path, where: tuple[Any, ...]) -> str:
    """Return ", line N" for the entry of a YAML file at a path of keys; "" where the value came from elsewhere."""
    try:
        node: Any = yaml.compose(Path(path).read_text(encoding="utf-8-sig"), _SchemaLoader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return ""
    line = None
    for step in where:
        if isinstance(node, yaml.MappingNode):
            match = [(k, v) for k, v in node.value if k.value == str(step)]
            if not match:
                break
            line, node = match[0][0].start_mark.line, match[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
    return "" if line is None else f", line {line + 1}"


# -- defaults ----------------------------------------------------------------------------------------------------------


def _filled(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a copy of a valid value with the schema's defaults where keys are missing."""
    if "discriminator" in schema and isinstance(value, Mapping):
        schema = next(b for b in schema["oneOf"] if b["title"] == value[schema["discriminator"]])
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        out = {
            key: _filled(item, known.get(key) or (rest if isinstance(rest, Mapping) else {}))
            for key, item in value.items()
        }
        for key, part in known.items():
            if key not in out and "default" in part:
                out[key] = _filled(part["default"], part)
        return out
    if isinstance(value, list):
        return [_filled(item, schema.get("items", {})) for item in value]
    if isinstance(value, float) and schema.get("type") == "integer":
        return int(value)  # JSON schema takes 1.0 for a whole number; a path or a range does not
    return value
