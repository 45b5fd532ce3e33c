"""Generates `config/README.md` (keys of config and study, built-in simulators) and the JSON schema for editors."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from preimage.inference.simulators import loading
from preimage.inference.simulators.built_in import BUILT_IN as SIMULATORS
from preimage.problems.built_in import BUILT_IN
from preimage.study.sections import Config, StudyFile
from preimage.support.frozen import Frozen, json_schema
from preimage.support.places import REPOSITORY

CONFIG = REPOSITORY / "config"
HEAD = """# Configuration

`make docs` generates this page from the classes of `workflow/preimage/study/sections.py` and of the built-in methods
and simulators, and `study.schema.json`, with which an editor completes and checks a study; a test keeps both
equal to them. An unknown key is an error that names the nearest valid key.
"""
DETERMINISTIC = """## Built-in problems

Values of `problem.simulator` in a study with objectives and inverters. `seird`, `lotka_volterra` and `sir` are
differential equations: their inputs are parameters to fit, their outputs series; `columns` under `fit` maps series to
columns of the data.
"""
STOCHASTIC = """## Built-in stochastic simulators

Values of `problem.simulator` in a study with `inference`; `lotka_volterra` and `sir` are not those above. A table of
your observations has one column per coordinate.
"""


def files() -> dict[Path, str]:
    """Return the text of every generated file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "study", **json_schema(StudyFile)}
    return {
        CONFIG / "README.md": documentation(),
        CONFIG / "study.schema.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
    }


def documentation() -> str:
    """Return the text of `config/README.md`."""
    parts = [HEAD]
    titles: dict[str, type[Frozen]] = {"`config/config.yaml`": Config, "A study (`config/studies/*.yaml`)": StudyFile}
    for title, model in titles.items():
        parts += [f"## {title}\n", "| key | type | default | what |", "|---|---|---|---|"]
        parts += ["| `{}` | {} | {} | {} |".format(*row) for row in keys(json_schema(model))]
        parts.append("")
    parts += [DETERMINISTIC, "| name | inputs | outputs | what |", "|---|---|---|---|", *_problems(), ""]
    parts += [STOCHASTIC, "| name | parameters | coordinates | what |", "|---|---|---|---|", *_simulators(), ""]
    return "\n".join(parts)


# -- keys --------------------------------------------------------------------------------------------------------------


def keys(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield each key of a schema with its type, its default and its words."""
    for key, part in schema.get("properties", {}).items():
        yield from _key(part, prefix + key, key in schema.get("required", ()))
    rest = schema.get("additionalProperties")
    if isinstance(rest, Mapping) and ("properties" in rest or "oneOf" in rest):
        yield from keys(rest, prefix + "<name>.")
    if "discriminator" in schema:
        for branch in schema["oneOf"]:
            named = f"{prefix.removesuffix('.')} ({branch['title']})"
            yield named, "kind", "", branch["description"]
            own = {k: v for k, v in branch["properties"].items() if k != "kind"}
            yield from keys({**branch, "properties": own}, f"{named}.")


def _key(part: Mapping[str, Any], key: str, required: bool) -> Iterator[tuple[str, str, str, str]]:
    default = "required" if required else f"`{_yaml(part['default'])}`" if "default" in part else ""
    yield key, _type(part), default, part.get("description", "")
    yield from keys(part, key + ".")
    if isinstance(part.get("items"), Mapping):
        yield from keys(part["items"], key + "[].")


def _type(part: Mapping[str, Any]) -> str:
    if "enum" in part or "const" in part:
        return "one of " + ", ".join(f"`{v}`" for v in part.get("enum", [part.get("const")]))
    kind = part.get("type", "")
    text = " or ".join(kind) if isinstance(kind, list) else kind
    for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")):
        if key in part:
            text += f", {sign} {part[key]:g}" if isinstance(part[key], float) else f", {sign} {part[key]}"
    return text


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("...").strip()


# -- simulators --------------------------------------------------------------------------------------------------------


def _problems() -> Iterator[str]:
    for name in BUILT_IN:
        module = importlib.import_module(f"preimage.problems.built_in.{name}")
        found = module.build()
        outputs = found.outputs if found.dynamics is None else found.dynamics.observed
        yield f"| `{name}` | {_names(found.inputs)} | {_names(outputs)} | {_summary(module)} |"


def _simulators() -> Iterator[str]:
    for name in SIMULATORS:
        module = importlib.import_module(f"preimage.inference.simulators.built_in.{name}")
        found = loading.load({"simulator": name})
        yield f"| `{name}` | {_names(found.prior.margins)} | {_names(found.coordinates)} | {_summary(module)} |"


def _names(names: Any) -> str:
    names = list(names)
    shown = names if len(names) <= 6 else [*names[:2], "...", names[-1]]
    return ", ".join(n if n == "..." else f"`{n}`" for n in shown)


def _summary(module: ModuleType) -> str:
    """Return the first paragraph of a module's docstring, in one line that a table can hold."""
    first = (inspect.getdoc(module) or "").split("\n\n")[0]
    return " ".join(first.split()).replace("|", "\\|")


if __name__ == "__main__":
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
