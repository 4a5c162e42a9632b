"""JSON Schema from type hints, and what `Annotated` may say beside a type.

`Annotated[str, "What it is", MaxLength(200)]`: a plain string describes the value to the model, the others bound it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mashumaro.jsonschema import build_json_schema
from mashumaro.jsonschema.annotations import (
    ArrayConstraint,
    Constraint,
    ExclusiveMaximum,
    ExclusiveMinimum,
    Maximum,
    MaxItems,
    MaxLength,
    Minimum,
    MinItems,
    MinLength,
    MultipleOf,
    NumberConstraint,
    Pattern,
    StringConstraint,
    UniqueItems,
)
from mashumaro.jsonschema.models import Context, JSONSchema, JSONSchemaInstanceType
from mashumaro.jsonschema.plugins import BasePlugin
from mashumaro.jsonschema.schema import Instance

from ._bounds import sentence

__all__ = [
    "ExclusiveMaximum",
    "ExclusiveMinimum",
    "MaxItems",
    "MaxLength",
    "Maximum",
    "MinItems",
    "MinLength",
    "Minimum",
    "MultipleOf",
    "Pattern",
    "UniqueItems",
    "json_schema",
]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Annotations(BasePlugin):
    """A string in `Annotated` is the description. A bound that the schema would leave out is an error."""

    def get_schema(self, instance: Instance, ctx: Context, schema: JSONSchema | None = None) -> JSONSchema | None:
        described = next((one for one in instance.annotations if isinstance(one, str)), None)
        if schema is not None and described is not None:
            schema.description = described
        bounds = [one for one in instance.annotations if isinstance(one, Constraint)]
        if schema is None or not bounds:
            return None
        if schema.anyOf:
            raise TypeError(
                f"{instance.name}: a bound belongs to one type of a union, as in Annotated[str, MaxLength(5)] | None"
            )
        if instance.origin_type is Decimal and all(isinstance(bound, NumberConstraint) for bound in bounds):
            schema.description = " ".join(filter(None, (schema.description, sentence(bounds))))  # type: ignore[arg-type]
            return None
        for bound in bounds:
            if schema.type not in _BOUNDED[next(kind for kind in _BOUNDED if isinstance(bound, kind))]:
                raise TypeError(f"{instance.name}: {type(bound).__name__} bounds no value of this type; {_BOUNDS}")
        return None


_BOUNDED: dict[type, tuple[JSONSchemaInstanceType, ...]] = {
    NumberConstraint: (JSONSchemaInstanceType.INTEGER, JSONSchemaInstanceType.NUMBER),
    StringConstraint: (JSONSchemaInstanceType.STRING,),
    ArrayConstraint: (JSONSchemaInstanceType.ARRAY,),
    Constraint: (JSONSchemaInstanceType.OBJECT,),
}
_BOUNDS = "Minimum and its like bound numbers, MinLength and Pattern bound texts, MinItems and UniqueItems bound lists"


def json_schema(of: Any) -> dict[str, Any]:
    """The schema of a type."""
    schema = build_json_schema(of, plugins=[_Annotations()]).to_dict()
    return {"$schema": _DIALECT, **_without_titles(schema)}


def _without_titles(schema: Any) -> Any:
    """Titles repeat the names of Python classes, which say nothing to a model."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without_titles(one) for name, one in value.items()}
        if key in ("properties", "$defs")
        else _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
