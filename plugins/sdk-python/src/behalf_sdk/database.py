"""The project's database, as the caller: row-level security decides which rows exist.

A call that may write is one transaction: it begins at the first statement, commits when the tool returns, and rolls back
when it raises. A call that can only read sends each statement as a transaction of its own: two statements may see different
rows, and `now()` differs between them. `scope` gives several statements one snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from . import _host, _rows, _values
from ._host import Column
from .errors import DatabaseError, ToolError

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
    answer = _host.current().query(sql, _values.parameters(sql, params))
    return Rows(_rows.as_dicts(answer), answer.columns, answer.truncated)


def query_as(row: type[T], sql: str, *params: Any) -> Rows[T]:
    """`query`, with each row read into a `row` by column name: a dataclass, a TypedDict or a NamedTuple.

    Columns it does not name are left out; a NULL where it allows none, or a value of another type, is a `ToolError`.
    """
    answer = _host.current().query(sql, _values.parameters(sql, params))
    return Rows(_rows.as_objects(row, answer), answer.columns, answer.truncated)


def query_one(sql: str, *params: Any) -> dict[str, Any] | None:
    """The only row of an answer; None where there is none, a `ToolError` where there are more."""
    return _only(query(sql, *params))


def query_one_as(row: type[T], sql: str, *params: Any) -> T | None:
    """`query_one`, with the row read into a `row`."""
    return _only(query_as(row, sql, *params))


def execute(sql: str, *params: Any) -> int:
    """One INSERT, UPDATE, DELETE or MERGE; returns the number of rows."""
    return _host.current().execute(sql, _values.parameters(sql, params))


def commit() -> None:
    """Ends the transaction here, before slow work outside the database. What was committed stays, even if the call fails.

    In an open scope it raises a `DatabaseError`.
    """
    _host.current().commit()


@contextmanager
def scope() -> Iterator[None]:
    """`with scope():` keeps what the block did to the database; if an exception leaves the block, it is undone.

    Whoever catches the exception can go on with the call. In a call that can only read, all statements of the outermost
    scope see the same snapshot and the same `now()`. Scopes can be inside each other, 8 deep.

    A statement that fails ends its scope: what the scope did is undone, and further statements in it raise a
    `DatabaseError` with the code `aborted`. If the block catches the error and ends as if nothing had happened, the end
    of the block raises it.
    """
    host = _host.current()
    host.begin_scope()
    try:
        yield
    except BaseException:
        # This exception says what went wrong. If undoing fails as well, the call's next statement says so.
        with suppress(DatabaseError):
            host.end_scope(False)
        raise
    host.end_scope(True)


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
