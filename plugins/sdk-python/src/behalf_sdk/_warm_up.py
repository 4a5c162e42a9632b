"""Calls made while the component is built.

Python rewrites its code while it runs: it fills caches and picks faster instructions. Every call is made on a fresh copy
of the memory that the build left, so what is done here is done already, and its pages need not be copied.
"""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from . import _export, _host, caller, progress, settings
from ._host import Column, Content, Entry, HttpAnswer, HttpRequest, Page, Passage, RowSet, Wire
from ._rows import row
from .database import execute, query, query_as
from .tools import tool

#: Enough for the interpreter to settle on its instructions.
_ROUNDS = 40

_ROW: dict[str, Wire] = {
    "id": "00000000-0000-0000-0000-000000000000",
    "number": 1,
    "amount": "1.50",
    "at": "2026-01-01T00:00:00+00:00",
    "label": "x",
    "flag": True,
    "data": "[1]",
    "missing": None,
}
_TYPES = ["uuid", "int8", "numeric", "timestamptz", "text", "bool", "jsonb", "text"]
_COLUMNS = [Column(name, type_name) for name, type_name in zip(_ROW, _TYPES)]


class _Nobody:
    """A host that answers everything alike."""

    def query(self, sql: str, params: list[Wire]) -> RowSet:
        return RowSet(_COLUMNS, [list(_ROW.values())] * 3, False)

    def execute(self, sql: str, params: list[Wire]) -> int:
        return 1

    def commit(self) -> None:
        return None

    def begin_scope(self) -> None:
        return None

    def end_scope(self, keep: bool) -> None:
        return None

    def describe(self, schema: str | None) -> str:
        return "[]"

    def search(self, text: str, options: str) -> list[Passage]:
        return []

    def remember(self, text: str, meta: str) -> str:
        return ""

    def recall(self, query: str, top_k: int) -> list[Entry]:
        return []

    def forget(self, id: str) -> bool:
        return False

    def kv_get(self, key: str) -> str | None:
        return None

    def kv_set(self, key: str, value: str) -> None:
        return None

    def kv_replace(self, key: str, old: str | None, value: str) -> bool:
        return True

    def kv_remove(self, key: str) -> bool:
        return False

    def kv_keys(self, prefix: str, after: str | None, limit: int) -> list[str]:
        return []

    def list_objects(self, bucket: str, prefix: str, limit: int, cursor: str | None) -> Page:
        return Page([], None)

    def read_object(self, bucket: str, name: str, max_bytes: int) -> Content:
        return Content(b"", "text/plain")

    def write_object(self, bucket: str, name: str, content: bytes, content_type: str, upsert: bool) -> None:
        return None

    def remove_object(self, bucket: str, name: str) -> None:
        return None

    def signed_url(self, bucket: str, name: str, expires_in: int) -> str:
        return ""

    def send(self, request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(200, [], b"{}")

    def log(self, level: str, message: str) -> None:
        return None

    def report(self, done: int, total: int | None, message: str | None) -> None:
        return None

    def partial(self, part: str) -> None:
        return None

    def settings(self) -> str:
        return '{"a": 1}'

    def identity(self) -> tuple[str | None, str, str]:
        return "00000000-0000-0000-0000-000000000000", "authenticated", "{}"

    def call_facts(self) -> str:
        return "{}"

    def remaining_ms(self) -> int:
        return 1


@row
class _Row:
    id: UUID
    number: int
    amount: Decimal
    at: datetime
    label: str
    flag: bool
    data: Any
    missing: str | None


@tool(read_only=True)
def everything(text: str, number: int = 1, flag: bool | None = None) -> list[_Row]:
    """Uses what tools use."""
    logging.getLogger("behalf").info("%s of %d", text, number)
    settings.get("a")
    caller.identity()
    progress.report(0, 1, "x")
    progress.partial({"a": text})
    query("select $1", text, number, flag, None, UUID(int=0), Decimal(1), [text])
    execute("delete", text)
    return query_as(_Row, "select")


def run() -> None:
    """Makes the calls. They reach nothing outside."""
    before = _host.install(_Nobody())
    try:
        for _ in range(_ROUNDS):
            _export.run({"everything": everything}, "everything", '{"text": "é", "number": 2}')
    finally:
        _host.install(before)
