"""Between Python's values and the database's."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import re
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Callable
from uuid import UUID

from ._host import Wire

#: What a bigint holds. Beyond it a number goes as text, which still fits a numeric.
_INTEGERS = range(-(2**63), 2**63)


class Json:
    """A parameter for a json or jsonb column, whatever the value is. A dict and a list need no wrapping, a string does."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Vector:
    """A parameter for a column of pgvector's `vector`. A plain list of floats fits it as well."""

    def __init__(self, numbers: list[float]) -> None:
        self.numbers = [float(number) for number in numbers]


#: Signs that `$1` is an array, json or a vector: its type, or what is done with it.
_ONE_VALUE = re.compile(
    r"\$1\s*::\s*[^\s,;)]*(\[|json|vector)|\bas\s+[^\s,)]*(\[|json|vector)"
    r"|\b(any|all|some|unnest|cardinality|array_\w+|jsonb?_\w+)\s*\(\s*\$1\b|@>|<@|&&|<->|<=>|<#>|<\+>",
    re.IGNORECASE,
)


def parameters(sql: str, values: tuple[Any, ...]) -> list[Wire]:
    """The parameters of a statement, which are given one by one.

    Elsewhere in Python they are one list. Such a list would become one array here, which most often fits no row, without a word.
    """
    if len(values) == 1 and isinstance(values[0], (list, tuple)) and not _ONE_VALUE.search(sql):
        raise TypeError(
            "Parameters are given one by one: query(sql, a, b), or query(sql, *values). If $1 is an array, say its type in the"
            " statement: $1::text[]; if it is json, give Json(value)."
        )
    return [to_wire(value) for value in values]


def to_wire(value: Any) -> Wire:
    """One parameter as the host takes it: the server infers its type, so text serves for what has no type of its own."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return value if value in _INTEGERS else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return f"{value.days} days {value.seconds}.{value.microseconds:06} seconds"
    if isinstance(value, Vector):
        return value.numbers
    if isinstance(value, Json):
        return json_text(value.value)
    if isinstance(value, dict):
        return json_text(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return json_text([_element(one) for one in value])
    raise TypeError(f"a {type(value).__name__} cannot be a parameter; pass one of its fields, or Json(…) of it")


def _element(value: Any) -> Any:
    """An element of an array, as JSON. The host gives the array the form that its parameter takes."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_element(one) for one in value]
    if isinstance(value, Json):
        return value.value
    if isinstance(value, dict):
        return value
    if isinstance(value, int) and not isinstance(value, (bool, Enum)):
        return value
    element = to_wire(value)
    if isinstance(element, float) and not math.isfinite(element):
        # JSON has no word for these, and the database has.
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(element)]
    return "\\x" + element.hex() if isinstance(element, bytes) else element


def json_text(value: Any) -> str:
    """JSON without what JSON does not have; dates, decimals and the like as text."""
    return json.dumps(value, default=json_default, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_default(value: Any) -> Any:
    """What `json` does not know, in the spelling that results have."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _number(text: str) -> float | Decimal:
    """A fraction; a decimal where a float would round it."""
    number = float(text)
    if len(text) <= 15 and "e" not in text and "E" not in text:
        return number
    decimal = Decimal(text)
    digits = "".join(map(str, decimal.as_tuple().digits)).rstrip("0")
    # A program prints a float with as many digits as it likes; they are those of the float, rounded.
    held = math.isfinite(number) and len(digits) <= 800 and Decimal(f"{number:.{max(len(digits), 1) - 1}e}") == decimal
    return number if held else decimal


def as_json(text: str) -> Any:
    """A json column or an array. What is not JSON after all stays text: one odd value must not hide the others."""
    try:
        return json.loads(text, parse_float=_number)
    except ValueError:
        return text


def _or_text(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Python's dates know no `infinity` and no years before Christ; such a value stays text."""

    def read_or_keep(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, InvalidOperation):
            return text

    return read_or_keep


_READERS: dict[str, Callable[[str], Any]] = {
    "numeric": _or_text(Decimal),
    "uuid": _or_text(UUID),
    "timestamptz": _or_text(datetime.datetime.fromisoformat),
    "timestamp": _or_text(datetime.datetime.fromisoformat),
    "date": _or_text(datetime.date.fromisoformat),
    "time": _or_text(datetime.time.fromisoformat),
    "json": as_json,
    "jsonb": as_json,
}


def reader(type_name: str) -> Callable[[str], Any] | None:
    """How a column's text becomes a Python value where nobody said which; none where text it is."""
    if type_name.startswith("_"):
        element = reader(type_name[1:])
        return as_json if element is None or element is as_json else _array_reader(element)
    return _READERS.get(type_name)


def _array_reader(element: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(one) for one in value]
        return element(value) if isinstance(value, str) else value

    return lambda text: read(as_json(text))


def is_json(type_name: str) -> bool:
    """Whether a column's text is JSON: json itself, and arrays."""
    return type_name in ("json", "jsonb") or type_name.startswith("_")
