"""Bounds of decimals. A decimal is text in JSON, whose schema cannot say that it is at least 1, so the SDK looks."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Union

from mashumaro.jsonschema.annotations import (
    ExclusiveMaximum,
    ExclusiveMinimum,
    Maximum,
    Minimum,
    MultipleOf,
    NumberConstraint,
)

#: What a bound says, and whether a number fits it.
_RULES: dict[type, tuple[str, Callable[[Decimal, Any], bool]]] = {
    Minimum: ("at least", lambda number, bound: number >= bound),
    Maximum: ("at most", lambda number, bound: number <= bound),
    ExclusiveMinimum: ("more than", lambda number, bound: number > bound),
    ExclusiveMaximum: ("less than", lambda number, bound: number < bound),
    MultipleOf: ("a multiple of", lambda number, bound: number % bound == 0),
}

#: Returns what is wrong with a value, as in `/items/0 has to be at least 1`; None where nothing is.
Check = Callable[[Any, str], Union[str, None]]


def sentence(bounds: list[NumberConstraint]) -> str:
    """What bounds say, for a description."""
    said = " and ".join(f"{_RULES[type(bound)][0]} {_limit(bound)}" for bound in bounds)
    return f"{said[:1].upper()}{said[1:]}."


def checker(hint: Any, seen: frozenset[Any] = frozenset()) -> Check | None:
    """The check of a type's values; None for a type in which no decimal is bounded."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        bounds = [one for one in hint.__metadata__ if isinstance(one, NumberConstraint)]
        return _decimal(bounds) if bounds and parts[0] is Decimal else checker(parts[0], seen)
    if origin in (Union, types.UnionType):
        return _first([checker(part, seen) for part in parts])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _members(checker(parts[1], seen) if len(parts) == 2 else None, lambda value: value.items())
    if isinstance(origin, type) and issubclass(origin, Collection):
        return _members(_first([checker(part, seen) for part in parts if part is not ...]), enumerate)
    if isinstance(hint, type) and hint not in seen and (dataclasses.is_dataclass(hint) or hasattr(hint, "__annotations__")):
        return _fields(hint, seen | {hint})
    return None


def _decimal(bounds: list[NumberConstraint]) -> Check:
    def check(value: Any, place: str) -> str | None:
        if not isinstance(value, Decimal):
            return None
        for bound in bounds:
            says, fits = _RULES[type(bound)]
            if not value.is_finite() or not fits(value, _limit(bound)):
                return f"{place} has to be {says} {_limit(bound)}"
        return None

    return check


def _limit(bound: NumberConstraint) -> Decimal:
    return Decimal(str(bound.value))  # type: ignore[attr-defined]


def _first(checks: list[Check | None]) -> Check | None:
    present = [check for check in checks if check is not None]
    if not present:
        return None
    return lambda value, place: next((wrong for check in present if (wrong := check(value, place))), None)


def _members(check: Check | None, members: Callable[[Any], Any]) -> Check | None:
    if check is None:
        return None

    def all_of(value: Any, place: str) -> str | None:
        if not isinstance(value, Collection) or isinstance(value, str):
            return None
        return next((wrong for at, one in members(value) if (wrong := check(one, f"{place}/{at}"))), None)

    return all_of


def _fields(kind: type, seen: frozenset[Any]) -> Check | None:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):
        return None
    checks = {name: check for name, hint in hints.items() if (check := checker(hint, seen)) is not None}
    if not checks:
        return None

    def check_fields(value: Any, place: str) -> str | None:
        for name, check in checks.items():
            one = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
            if wrong := check(one, f"{place}/{name}"):
                return wrong
        return None

    return check_fields
