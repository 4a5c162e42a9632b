"""The project's database, as the caller: row-level security decides which rows exist.

One transaction per call: it begins at the first statement, commits when the tool returns, and rolls back when it raises.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from . import _host, _rows, _values
from ._host import Column
from .errors import ToolError

T = TypeVar("T")


class Rows(list[T]):
    """The rows of an answer: a list, with the columns, and whether the host's limit cut it short."""

    def __init__(self, rows: list[T], columns: list[Column], truncated: bool) -> None:
        super().__init__(rows)
        self.columns = columns
        self.truncated = truncated


def query(sql: str, *params: Any) -> Rows[dict[str, Any]]:
    """One SELECT, VALUES or TABLE (or, where writing is granted, a data-changing statement with RETURNING), with $1, $2 …

    Rows are dicts by column name; a name that appears again gets `_2`, `_3` … appended.
    """
    answer = _host.current().query(sql, [_values.to_wire(value) for value in params])
    return Rows(_rows.as_dicts(answer), answer.columns, answer.truncated)


def query_as(row: type[T], sql: str, *params: Any) -> Rows[T]:
    """`query`, with each row read into a `row` by column name: a dataclass, a TypedDict or a NamedTuple.

    Columns it does not name are left out; a NULL where it allows none, or a value of another type, is a `ToolError`.
    """
    answer = _host.current().query(sql, [_values.to_wire(value) for value in params])
    return Rows(_rows.as_objects(row, answer), answer.columns, answer.truncated)


def query_one(sql: str, *params: Any) -> dict[str, Any] | None:
    """The only row of an answer; None where there is none, a `ToolError` where there are more."""
    return _only(query(sql, *params))


def query_one_as(row: type[T], sql: str, *params: Any) -> T | None:
    """`query_one`, with the row read into a `row`."""
    return _only(query_as(row, sql, *params))


def execute(sql: str, *params: Any) -> int:
    """One INSERT, UPDATE, DELETE or MERGE; returns the number of rows."""
    return _host.current().execute(sql, [_values.to_wire(value) for value in params])


def commit() -> None:
    """Ends the transaction here, before slow work outside the database. What was committed stays, even if the call fails."""
    _host.current().commit()


def describe(schema: str | None = None) -> list[dict[str, Any]]:
    """The tables, views and columns of the granted schemas (or of `schema` alone) that the caller's role may use."""
    described: list[dict[str, Any]] = json.loads(_host.current().describe(schema))
    return described


def like_literal(text: str) -> str:
    """`text` with `%`, `_` and `\\` taken literally, for a pattern of LIKE or ILIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _only(rows: Rows[T]) -> T | None:
    if len(rows) > 1 or rows.truncated:
        raise ToolError("A statement that was to find one row found several.")
    return rows[0] if rows else None
