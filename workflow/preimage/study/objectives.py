"""What every kind of objective is: an entry of a study, which names its kind by the key that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError

from preimage.support.frozen import ByType, Distinct, Flag, Frozen, Maybe, Number, Text, Whole, json_schema, option
from preimage.support.registry import Entry, Registry


class Committee(Frozen):
    """Rank candidates by a committee of models (the surrogate's members, extra trees, nearest rows), and exclude those
    far from the data: for answers that hold on the true system. `true`, or options.
    """

    trees: Whole = option(200, "Trees in the committee's forest of extra trees.", ge=10, le=10_000)
    neighbours: Whole = option(10, "Nearest training rows to average as the committee's third model.", ge=1, le=1000)
    domain: Number = option(0.9, "Maximum domain score of an answer, unless every candidate exceeds it.", gt=0, le=1)


class Preimage(Frozen):
    """Find all inputs that meet the objective (`target` or `within`) on every surrogate made of trees, as disjoint
    boxes: `round<r>/seed<s>/preimage/<surrogate>/<objective>.parquet`. Linear inequalities are supported; small
    undecided boxes remain along their boundary. Inputs in equalities must be fixed or integers. `true`, or options.
    """

    boxes: Whole = option(
        200_000,
        "Maximum number of boxes to examine; at this limit, an inner and an outer set bound the preimage.",
        ge=1,
        le=100_000_000,
    )
    seconds: Maybe[Number] = option(
        None,
        "Time limit in seconds; a preimage that it cuts short is marked as not reproducible.",
        gt=0,
        le=10_000_000,
    )


class Interval(Frozen):
    """Values that an output may take: at least, at most, or both."""

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("at_least",), ("at_most",))
    at_least_one: ClassVar[bool] = True

    at_least: Maybe[Number] = option(None, "Smallest value.")
    at_most: Maybe[Number] = option(None, "Largest value.")


class ClosestTo(Frozen):
    """A recipe that the answer should change as little as possible: of all inputs that meet the objective (`target` or
    `within`) the nearest. The distance is the sum of all changes, each as a share of its input's range; a changed
    category counts 1.
    """

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("row",), ("inputs",))

    row: Maybe[Whole] = option(None, "Number of a row of the data, from 1, as in its file.", ge=1)
    inputs: Maybe[dict[Text, ByType[Number | Text]]] = option(
        None, "Value of every input that is not fixed, by name.", min_length=1
    )


Size = ByType[Annotated[Number, Field(gt=0)] | Text]


class Variation(Frozen):
    """How an input varies: a normal distribution's standard deviation, or half the width of a uniform one."""

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("sd",), ("half_width",))

    sd: Maybe[Size] = option(None, "Standard deviation of a normal distribution: a number, or a share such as `2 %`.")
    half_width: Maybe[Size] = option(None, "Half the width of a uniform distribution: a number, or such a share.")


class ObjectiveEntry(Entry):
    """What the outputs should be.

    A kind is named by the one key that only its entries have, which is a field of its class.

    Attributes:
        many: it stands for many objectives, one per row of a table.
        front: its answer is a front of points rather than one.
    """

    registry: ClassVar[Registry[ObjectiveEntry]] = Registry(
        "objective", "preimage.study.objective_kinds", "preimage.core.objective"
    )
    many: ClassVar[bool] = False
    front: ClassVar[bool] = False

    committee: Maybe[ByType[Flag | Committee]] = option(
        None,
        "Rank candidates by a committee of models (the surrogate's members, extra trees, nearest rows), "
        "and exclude those far from the data: for answers that hold on the true system. `true`, or "
        "options.",
    )
    preimage: Maybe[ByType[Flag | Preimage]] = option(
        None,
        "Find all inputs that meet the objective (`target` or `within`) on every surrogate made of trees (or, where "
        "there are none, on linear models, Gaussian processes and neural networks), "
        "as disjoint boxes: `round<r>/seed<s>/preimage/<surrogate>/<objective>.parquet`. Linear "
        "inequalities are supported; small undecided boxes remain along their boundary. Inputs in "
        "equalities must be fixed or integers. `true`, or options.",
    )
    tolerance: Maybe[ByType[Annotated[Number, Field(ge=0)] | dict[Text, Annotated[Number, Field(ge=0)]]]] = option(
        None,
        "Largest accepted distance from the target value, in the output's unit: one number, or one per "
        "output (`{purity: 0.01, load: 1e4}`). For `minimize` and `maximize`, largest distance from the "
        "best that counts as an equally good solution. Default 1 % of the training rows' range of each "
        "output, or of the minimised or maximised sum; for `pareto` a share of these ranges.",
    )
    scaled: Maybe[Flag] = option(
        None,
        "Divide each output's distance by its training standard deviation, so that outputs of different "
        "units can be added. Default true for several outputs, false for one.",
    )
    subject_to: Maybe[dict[Text, Interval]] = option(
        None,
        "Limits of outputs, by name: `{viscosity: {at_least: 800, at_most: 1500}}`. Candidates that keep all of them "
        "come first, whatever their loss; the others follow by how far they miss them.",
        min_length=1,
    )
    closest_to: Maybe[ClosestTo] = option(None)
    change_at_most: Maybe[Whole] = option(
        None, "With `closest_to`: largest number of inputs that may differ from it.", ge=1
    )
    keep: Maybe[Distinct[Text]] = option(
        None, "With `closest_to`: inputs that must stay as they are there.", min_length=1
    )
    variation: Maybe[dict[Text, ByType[Annotated[Number, Field(gt=0)] | Text | Variation]]] = option(
        None,
        "How inputs vary in production around the values that are set, by name: a standard deviation in the input's "
        "unit (`temperature: 2`) or as a share of its value (`resin: 2 %`); the long form names the distribution "
        "(`{half_width: 2}`). The answer is then the one that most of production meets (`target`, `within`; limits "
        "too), or whose worst tenth is best (`minimize`, `maximize`), over 128 fixed draws, each of which is an "
        "evaluation. Varied inputs may leave their bounds.",
        min_length=1,
    )
    fixed: Maybe[dict[Text, ByType[Number | Text]]] = option(None, "Inputs to fix for this objective only, by name.")

    @classmethod
    def named(cls, entry: Mapping[str, Any]) -> type[ObjectiveEntry]:
        """Return the class of a valid entry in plain values."""
        return cls.registry[next(kind for kind in cls.registry if kind in entry)]

    @classmethod
    def _dispatched(cls, value: Any) -> Entry:
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("dict_type", "expected a mapping")
        kinds = list(cls.registry)
        named = [kind for kind in kinds if kind in value]
        shared = [*kinds, *cls.model_fields]
        if unknown := [key for key in value if key not in shared]:
            raise PydanticCustomError("unknown_key", "unknown key", {"key": unknown[0], "valid": shared})
        if len(named) != 1:
            groups = " | ".join(kinds)
            raise PydanticCustomError("choices", "expected exactly one", {"many": "exactly", "groups": groups})
        return cast(Entry, cls.registry[named[0]].model_validate(value))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        if hasattr(cls, "kind"):
            return super().__get_pydantic_json_schema__(schema, handler)
        branches = {kind.kind: json_schema(kind)["properties"] for kind in cls.registry.values()}
        own = {kind: properties[kind] for kind, properties in branches.items()}
        common = {key: part for key, part in next(iter(branches.values())).items() if key in cls.model_fields}
        return {
            "type": "object",
            "additionalProperties": False,
            "oneOf": [{"required": [kind]} for kind in branches],
            "properties": {**own, **common},
        }

    @classmethod
    def modules(cls) -> list[str]:
        """Return the modules that a result depends on beyond `preimage.core.objective`: those of an extension."""
        built_in = cls.__module__.startswith(f"{cls.registry.package}.")
        return [] if built_in else [f"{cls.__module__}:{cls.__name__}"]

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys that may be written."""
        return list(cls.model_fields)

    def plain(self) -> dict[str, Any]:
        """Return plain values by key, the kind's own first."""
        found = super().plain()
        return {key: found[key] for key in (self.kind, *found) if key in found and key != "kind"}
