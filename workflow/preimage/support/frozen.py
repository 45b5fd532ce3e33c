"""Frozen classes of plain values: fields with types, bounds, units and words, from which schema and docs are made.

Types are strict: "1" is no number, and true is none. A whole number may be written 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    StrictStr,
    WrapValidator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema
from pydantic.types import Strict
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_given(value: Any, valid: Any) -> Any:
    valid(value)
    return value


Text = StrictStr
Flag = StrictBool
Whole = Annotated[int, Strict(), BeforeValidator(_whole)]
# A number that stays an integer where it was written as one.
Number = Annotated[float, Strict(), WrapValidator(_as_given)]


class _Given:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return self._without_null(handler(source))

    def _without_null(self, schema: Any) -> Any:
        if schema["type"] == "nullable":
            return schema["schema"]
        return {**schema, "schema": self._without_null(schema["schema"])}


class _Distinct:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"uniqueItems": True}

    def _check(self, found: list[Any]) -> list[Any]:
        if any(value in found[:k] for k, value in enumerate(found)):
            raise PydanticCustomError("distinct", "expected no entry twice")
        return found


class _ByType:
    """Picks one of several types by what the value is, so that a message can name them all."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        arms = {_json_type(arm): handler.generate_schema(arm) for arm in get_args(source)}
        return core_schema.tagged_union_schema(
            {f"<{name}>": arm for name, arm in arms.items()},
            lambda value: next((f"<{name}>" for name in json_types(value) if name in arms), None),
            custom_error_type="types",
            custom_error_message="expected one of several types",
            custom_error_context={"types": ",".join(arms)},
        )


# A key that may be left out; where it is there it has a value.
Maybe = Annotated[T | None, _Given()]
# A list without an entry twice.
Distinct = Annotated[list[T], _Distinct()]
# One of several types, no two of which are one in JSON.
ByType = Annotated[T, _ByType()]


def option(default: Any, words: str | None = None, **bounds: Any) -> Any:
    """Return a field: its default (`...` where it must be given), what it is and in which unit, and its bounds.

    Args:
        words: needless where the field is a section, whose docstring says it.
        bounds: pydantic's: ge, gt, le, lt, min_length, max_length, pattern.
    """
    return Field(default, description=words, **bounds)


_JSON = {str: "string", float: "number", int: "integer", bool: "boolean", list: "array", dict: "object"}


def json_types(value: Any) -> tuple[str, ...]:
    """Return the types of JSON that a value is of."""
    if value is None:
        return ("null",)
    if isinstance(value, Mapping | BaseModel):
        return ("object",)
    kind = next((name for known, name in _JSON.items() if type(value) is known), "")
    return ("integer", "number") if kind == "integer" else (kind,)


def _json_type(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return _json_type(get_args(annotation)[0])
    if annotation in (None, NoneType):
        return "null"
    return _JSON.get(get_origin(annotation) or annotation, "object")


class Frozen(BaseModel):
    """A part of a study.

    Attributes:
        choices: groups of keys of which exactly one is there (or at least one), and whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, protected_namespaces=())

    choices: ClassVar[tuple[tuple[str, ...], ...]] = ()
    at_least_one: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        """Refuse the first unknown key, before anything else is said."""
        unknown = [key for key in value if key not in cls.model_fields] if isinstance(value, Mapping) else []
        if unknown:
            raise PydanticCustomError("unknown_key", "unknown key", {"key": unknown[0], "valid": cls.keys()})
        return value

    @model_validator(mode="after")
    def _check_choices(self) -> Self:
        if self.choices:
            begun = [group for group in self.choices if self.model_fields_set.intersection(group)]
            whole = [group for group in begun if self.model_fields_set.issuperset(group)]
            if not whole or (not self.at_least_one and len(begun) > 1):
                many: Literal["at least", "exactly"] = "at least" if self.at_least_one else "exactly"
                groups = " | ".join(" + ".join(group) for group in self.choices)
                raise PydanticCustomError(
                    "choices", "expected {many} one of {groups}", {"many": many, "groups": groups}
                )
        return self

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys that may be written."""
        return list(cls.model_fields)

    def plain(self) -> dict[str, Any]:
        """Return plain values by key, in the order of the fields; a key without a value is left out."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: plain_value(value) for name, value in found.items() if value is not None}

    def changed(self, **values: Any) -> Self:
        """Return a copy with other values, which are checked."""
        return type(self).model_validate({**self.plain(), **values})


def plain_value(value: Any) -> Any:
    """Return a value with all that is frozen in it as plain values."""
    if isinstance(value, Frozen):
        return value.plain()
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    return [plain_value(item) for item in value] if isinstance(value, list) else value


_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


# -- JSON schema -------------------------------------------------------------------------------------------------------


class _Generator(GenerateJsonSchema):
    """JSON schema without titles; the default of a section is what differs from its own defaults: nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        return {} if isinstance(dft, Frozen) else super().encode_default(dft)

    def tagged_union_schema(self, schema: Any) -> Any:
        # Each keyword binds values of one type alone, so that those of several types can stand side by side.
        arms = [self.generate_inner(arm) for arm in schema["choices"].values()]
        return {k: v for arm in arms for k, v in arm.items()} | {"type": [arm.get("type", "object") for arm in arms]}

    def model_schema(self, schema: Any) -> Any:
        found = super().model_schema(schema)
        found.pop("title", None)
        if (model := schema["cls"]).choices:
            found["anyOf" if model.at_least_one else "oneOf"] = [{"required": list(keys)} for keys in model.choices]
        return found


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a class, with nothing defined apart from where it is used."""
    whole = model.model_json_schema(schema_generator=_Generator)
    found = _inlined(whole, whole.pop("$defs", {}))
    assert isinstance(found, dict)
    return found


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        own = {key: value for key, value in node.items() if key != "$ref"}
        # What is said where a class is used comes before what it says of itself.
        node = {**definitions[node["$ref"].rpartition("/")[2]], **own}
    kept = {_keyword(key, node): _inlined(value, definitions) for key, value in node.items() if value is not None}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split())
    return _of_objects(kept) if isinstance(kept.get("type"), list) else kept


def _of_objects(node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of several types whose choices of keys bind objects alone: a number has none of the keys."""
    choices = {
        key: node.pop(key) for key in ("oneOf", "anyOf") if all(list(c) == ["required"] for c in node.get(key, [{}]))
    }
    return {**node, "if": {"type": "object"}, "then": choices} if choices else node


def _keyword(key: str, node: Mapping[str, Any]) -> str:
    """Return JSON schema's keyword for a bound that pydantic left under its own name, as it does behind a validator."""
    if key in ("min_length", "max_length"):
        what = {"array": "Items", "object": "Properties"}.get(node.get("type", ""), "Length")
        return key[:3] + what
    return _BOUNDS.get(key, key) if isinstance(node[key], int | float) else key
