"""Rows as dicts and as the author's own types."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, TypeVar, Union

from mashumaro.codecs import BasicDecoder
from mashumaro.dialect import Dialect
from mashumaro.exceptions import InvalidFieldValue, MissingField

from . import _values
from ._host import RowSet
from .errors import ToolError

T = TypeVar("T")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("it is not text")


def _integer(value: Any) -> int:
    if isinstance(value, str) or type(value) is int:
        return int(value)
    raise ValueError("it is not an integer")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("it is not a boolean")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    raise ValueError("it is not bytea")


class _FromDatabase(Dialect):
    """A column is never bent into another type; the library itself would let these pass."""

    namedtuple_as_dict = True
    serialization_strategy = {
        str: {"deserialize": _text},
        int: {"deserialize": _integer},
        bool: {"deserialize": _boolean},
        bytes: {"deserialize": _bytes},
    }


_decoders: dict[Any, tuple[BasicDecoder[Any], frozenset[str]]] = {}


@typing.dataclass_transform(frozen_default=True, kw_only_default=True)
def row(cls: type[T]) -> type[T]:
    """Makes a frozen dataclass that rows are read into.

    `query_as` takes any dataclass, TypedDict or NamedTuple, but what it needs for it takes milliseconds to make; with
    this decorator that is done when the component is built and not in every call.
    """
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    _prepare(made)
    return made


def _prepare(row: type) -> None:
    if row not in _decoders:
        hints = typing.get_type_hints(row, include_extras=True)
        _decoders[row] = (
            BasicDecoder(row, default_dialect=_FromDatabase),
            frozenset(name for name, hint in hints.items() if not _takes_none(hint)),
        )


def as_objects(row: type[T], answer: RowSet) -> list[T]:
    """Each row as a `row`."""
    _prepare(row)
    decoder, never_null = _decoders[row]
    columns = [(column.name, _values.is_json(column.type_name)) for column in answer.columns]
    objects = []
    for values in answer.rows:
        fields = {}
        for (name, is_json), value in zip(columns, values):
            if is_json and isinstance(value, str):
                value = _values.as_json(value)
            if value is None and name in never_null:
                raise _misfit(row, name, "it is NULL; allow None, or leave such rows out in the statement")
            fields[name] = value
        try:
            objects.append(decoder.decode(fields))
        except InvalidFieldValue as error:
            # Not the value itself: it is a row's, and this sentence goes to the model.
            raise _misfit(row, error.field_name, f"it does not fit {error.field_type_name}") from error
        except MissingField as error:
            raise _misfit(row, error.field_name, "the statement has no such column") from error
    return objects


def as_dicts(answer: RowSet) -> list[dict[str, Any]]:
    """Each row as a dict, with values by the columns' types."""
    names = _distinct([column.name for column in answer.columns])
    readers = [_values.reader(column.type_name) for column in answer.columns]
    return [
        {
            name: read(value) if read is not None and isinstance(value, str) else value
            for name, read, value in zip(names, readers, row)
        }
        for row in answer.rows
    ]


def _distinct(names: list[str]) -> list[str]:
    """A name that appears again gets `_2`, `_3` … appended, skipping those that exist."""
    taken = set(names)
    seen: set[str] = set()
    distinct = []
    for name in names:
        one, number = name, 2
        while one in seen or (one != name and one in taken):
            one, number = f"{name}_{number}", number + 1
        seen.add(one)
        distinct.append(one)
    return distinct


def _misfit(row: type, field: str, why: str) -> ToolError:
    return ToolError(f"The column {field} cannot be read into {row.__name__}: {why}.")


def _takes_none(hint: Any) -> bool:
    if hint is Any or hint is None or hint is type(None):
        return True
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_takes_none(one) for one in typing.get_args(hint))
    if origin is typing.Annotated:
        return _takes_none(typing.get_args(hint)[0])
    if origin is typing.Literal:
        return None in typing.get_args(hint)
    return False
