"""A YAML file as people mean it: read, and the line of each of its keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from preimage.support.errors import StudyError, did_you_mean

# A study is a page of text; anything much larger is not one (and aliases could make it larger still).
LARGEST = 1_000_000


class _Loader(yaml.SafeLoader):
    """Safe YAML of the 1.2 kind: 1e-3 is a number; `on`, `no`, 1:30, 010 and 2020-01-01 are text.

    Keys are text as written, so that a column may be called 1. No alias and no key said twice is taken.
    """

    aliases = False

    def compose_node(self, parent: Any, index: Any) -> Any:
        if not self.aliases and self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise StudyError(f"line {event.start_mark.line + 1}: YAML aliases (*{event.anchor}) are not supported")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise StudyError(f"line {key.start_mark.line + 1}: found a list or mapping as a key, expected text")
            key.tag = "tag:yaml.org,2002:str"
            if key.value in seen:
                raise StudyError(
                    f"line {key.start_mark.line + 1}, key '{key.value}': duplicate key (first defined on line "
                    f"{seen[key.value]})"
                )
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


# YAML 1.1 reads the key `on` as true, 1:30 as 90, 010 as 8 and 2020-01-01 as a date; YAML 1.2 does not.
_NARROWED = {"bool", "int", "float", "timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _NARROWED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9]\d*)|0x[\da-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+", "-+0123456789."),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^({_pattern})\Z"), list(_first))


def read(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of one mapping. Raises StudyError where it is missing, too large, or no such thing."""
    path = Path(path)
    if path.is_dir():
        raise StudyError(f"{path}: found a directory, expected a YAML file")
    try:
        if path.stat().st_size > LARGEST:
            raise StudyError(f"{path}: {path.stat().st_size} bytes, expected at most {LARGEST}")
        if not path.is_file():  # a pipe, or a device that has no end
            raise StudyError(f"{path}: expected a YAML file, found something that is not a regular file")
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
        raise StudyError(f"{path}: found {kind_of(value)}, expected a mapping of keys")
    return value


def _nearest_file(path: Path) -> str:
    beside = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    return did_you_mean(path.name, beside) if beside else ""


class _LenientLoader(_Loader):
    aliases = True


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    names = {dict: "a mapping", list: "a list", type(None): "nothing", bool: "true or false"}
    if type(value) in names:
        return names[type(value)]
    if isinstance(value, str):
        return f"text '{short(value)}'"
    return f"the number {short(value)}" if isinstance(value, int | float) else f"a {type(value).__name__}"


def short(value: Any) -> str:
    """Return a value as text that a line can hold."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def line(path: str | Path, where: tuple[Any, ...]) -> str:
    """Return ", line N" for the entry of a YAML file at a path of keys; "" where the value came from elsewhere."""
    try:
        node: Any = yaml.compose(Path(path).read_text(encoding="utf-8-sig"), _LenientLoader)
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
