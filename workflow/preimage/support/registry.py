"""One registry per extension point: classes by kind, each a module of its own that declares it.

A point has a base class, an `Entry` with a `Registry`. A class derived from it that has a `kind` registers itself; its
fields are the options of an entry of that kind in a study, its class attributes say what it can do, and the first
paragraph of its docstring are its words in the documentation. Declarations are light: what computes is imported by the
methods that need it, so that a study can be read where only Snakemake and what it needs is installed.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from preimage.support import extensions
from preimage.support.errors import StudyError
from preimage.support.frozen import Frozen, json_schema

E = TypeVar("E", bound="Entry")


class Registry(Generic[E]):
    """The classes of an extension point by kind: those of a package, each in the module of its name, and extensions'.

    Args:
        what: the point's name in messages.
        package: where the built-in kinds are declared.
        computing: where the module of the same name is that computes.
    """

    def __init__(self, what: str, package: str, computing: str) -> None:
        self.what, self.package, self.computing = what, package, computing
        self._known: dict[str, type[E]] = {}

    def add(self, kind: type[E]) -> None:
        """Register a class. Raises StudyError where another module has that kind."""
        built_in = f"{self.package}.{kind.kind}" if kind.kind in self._built_in() else kind.__module__
        if kind.__module__ != built_in or self._known.get(kind.kind, kind).__module__ != built_in:
            raise StudyError(f"{self.what} '{kind.kind}' of {kind.__module__}: another module has that kind too")
        self._known[kind.kind] = kind

    def __getitem__(self, kind: str) -> type[E]:
        """Return the class of a kind. Raises KeyError for an unknown one."""
        if kind not in self._known:
            if kind in self._built_in():
                importlib.import_module(f"{self.package}.{kind}")
            else:
                extensions.load()
        return self._known[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in list(self)

    def __iter__(self) -> Iterator[str]:
        extensions.load()
        return iter(dict.fromkeys([*self._built_in(), *self._known]))

    def values(self) -> list[type[E]]:
        """Return every class, built-in kinds first."""
        return [self[kind] for kind in self]

    def _built_in(self) -> list[str]:
        return [module.name for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__)]


class Entry(Frozen):
    """An entry of a study that names its kind.

    Attributes:
        registry: of the extension point; set by its base class.
        kind: set by each class that an entry may name.
    """

    registry: ClassVar[Registry[Any]]
    kind: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if "kind" in vars(cls):
            cls.registry.add(cls)

    @classmethod
    def of(cls, value: Any) -> Self:
        """Return the entry of plain values that its `kind` names. Raises pydantic's ValidationError."""
        if isinstance(value, cls):
            return value
        return cls.model_validate(value)

    @classmethod
    def _dispatched(cls, value: Any) -> Entry:
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("dict_type", "expected a mapping")
        if "kind" not in value:
            raise PydanticCustomError("no_kind", "missing key 'kind'")
        kind = value["kind"]
        if not isinstance(kind, str):
            raise PydanticCustomError("kind_type", "expected text")
        if kind not in cls.registry:
            raise PydanticCustomError("kind", "unknown kind", {"valid": list(cls.registry)})
        rest = {key: item for key, item in value.items() if key != "kind"}
        return cast(Entry, cls.registry[kind].model_validate(rest))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if hasattr(cls, "kind"):
            return super().__get_pydantic_core_schema__(source, handler)
        return core_schema.no_info_plain_validator_function(cls._dispatched)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        if hasattr(cls, "kind"):
            return super().__get_pydantic_json_schema__(schema, handler)
        return {
            "type": "object",
            "required": ["kind"],
            "discriminator": {"propertyName": "kind"},
            "properties": {"kind": {"type": "string", "description": f"Kind of {cls.registry.what}."}},
            "oneOf": [_branch(kind) for kind in cls.registry.values()],
        }

    @classmethod
    def modules(cls) -> list[str]:
        """Return the modules that a result depends on, as fingerprints name them: the one that declares the kind, and
        the one that computes."""
        if cls.__module__ == f"{cls.registry.package}.{cls.kind}":
            return [cls.__module__, f"{cls.registry.computing}.{cls.kind}"]
        return [f"{cls.__module__}:{cls.__name__}"]

    @classmethod
    def computing(cls) -> ModuleType:
        """Return the module that computes; imported only by the step that needs it."""
        return importlib.import_module(cls.modules()[-1].partition(":")[0])

    @classmethod
    def words(cls) -> str:
        """Return what the documentation says of a kind: the first paragraph of its docstring, in one line."""
        return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys that may be written."""
        return ["kind", *super().keys()]

    def plain(self) -> dict[str, Any]:
        """Return plain values by key, `kind` first."""
        return {"kind": self.kind, **super().plain()}

    def changed(self, **values: Any) -> Self:
        """Return a copy with other values, which are checked."""
        return type(self).model_validate({**super().plain(), **values})


def _branch(kind: type[Entry]) -> dict[str, Any]:
    found = json_schema(kind)
    named = {"const": kind.kind, "description": kind.words()}
    return {
        **found,
        "title": kind.kind,
        "description": kind.words(),
        "properties": {"kind": named, **found.get("properties", {})},
        "required": ["kind", *found.get("required", [])],
    }
