"""A host for unit tests, which need neither a component nor a database.

    from behalf_sdk.testing import MockHost

    def test_it():
        host = MockHost(settings={"currency": "EUR"})
        host.on("from public.notes", [{"id": UUID(int=1), "title": "Garden"}])
        assert host.call(my_tool, search="garden") == {…}
        assert host.statements[0].params == ["%garden%"]

The arguments are not checked against the tool's schema here; the real host does that before every call.
"""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from . import _export, _host, _outside, _values
from ._host import Column, Content, Entry, HttpAnswer, HttpRequest, Page, Passage, RowSet, Wire
from ._logging import level_name
from ._mock_http import MockServers, Request
from ._mock_kv import MockStores
from ._mock_objects import MockObjects
from ._mock_texts import MockDocuments, MockMemories
from .errors import DatabaseError, KnowledgeError, KvError, MemoriesError, StorageError, ToolError
from .tools import Tool

__all__ = ["ALICE", "BOB", "MockHost", "Request", "Statement", "denied"]

#: The demo users, as `behalf tool run --sub alice` knows them.
ALICE = UUID("a11ce000-0000-4000-8000-000000000001")
BOB = UUID("b0b00000-0000-4000-8000-000000000002")

#: Scopes that may be open at the same time, as on the real host.
_MAX_SCOPES = 8

_TYPE_NAMES: list[tuple[type, str]] = [
    (bool, "bool"),
    (int, "int8"),
    (float, "float8"),
    (str, "text"),
    (bytes, "bytea"),
    (UUID, "uuid"),
    (Decimal, "numeric"),
    (datetime.datetime, "timestamptz"),
    (datetime.date, "date"),
    (datetime.time, "time"),
    (_values.Vector, "vector"),
    (dict, "jsonb"),
    (list, "_text"),
]


@dataclass(frozen=True)
class Statement:
    """A statement that the tool ran, and its parameters as the host gets them."""

    sql: str
    params: list[Wire]


@dataclass(frozen=True)
class _Answer:
    fragment: str
    answer: Any
    types: dict[str, str]
    truncated: bool


class MockHost:
    """Answers statements by what they contain, and records what the tool did."""

    def __init__(
        self,
        *,
        subject: UUID | str | None = ALICE,
        role: str = "authenticated",
        claims: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        remaining_ms: int = 10_000,
    ) -> None:
        self._identity = (None if subject is None else str(subject), role, json.dumps(claims or {}))
        self._settings = json.dumps(settings or {})
        self._remaining_ms = remaining_ms
        self._answers: list[_Answer] = []
        self._passages: list[Passage] = []
        self._documents = MockDocuments()
        self._memories = MockMemories()
        self._stores = MockStores()
        self._objects = MockObjects()
        self._servers = MockServers()
        self._description: list[dict[str, Any]] = []
        #: The statements that the tool ran, in order.
        self.statements: list[Statement] = []
        #: How often the tool committed.
        self.commits = 0
        #: For each scope that ended, whether it was kept.
        self.scopes: list[bool] = []
        #: For each open scope, whether a statement failed in it.
        self._open_scopes: list[bool] = []
        #: Whether a tool is called. A statement of the test itself ends nothing.
        self._in_call = False
        #: The first statement of the call that failed outside of a scope.
        self._failure: DatabaseError | None = None
        #: Pairs of level and message.
        self.logs: list[tuple[str, str]] = []
        #: Triples of done, total and message.
        self.progress: list[tuple[int, int | None, str | None]] = []
        #: The parts of results that the tool showed, in order.
        self.partials: list[Any] = []

    # What a test says.

    def on(
        self,
        fragment: str,
        answer: Iterable[dict[str, Any]] | int | Exception | Callable[..., Any],
        *,
        types: dict[str, str] | None = None,
        truncated: bool = False,
    ) -> MockHost:
        """What to answer to a statement that contains `fragment` (white space and case aside); what was said last wins.

        `answer` is rows as dicts, a number of rows for `execute`, an exception to raise, or a function of the
        parameters that returns one of these. A column's type follows from its values; `types` says it where they are
        all NULL or mean something else.
        """
        self._answers.insert(0, _Answer(_flat(fragment), answer, types or {}, truncated))
        return self

    def describes(self, tables: list[dict[str, Any]]) -> MockHost:
        """What `describe` returns."""
        self._description = tables
        return self

    def finds(self, *passages: Passage) -> MockHost:
        """What a search in knowledge bases returns."""
        self._passages = list(passages)
        return self

    def puts_document(self, user: UUID | str | None, knowledge_base: str, name: str, text: str) -> MockHost:
        """A document of a knowledge base that this user may read, and no other; None stands for callers without a user.

        A search finds the documents of its caller, those first that share most words with the question.
        """
        self._documents.put(None if user is None else str(user), knowledge_base, name, text)
        return self

    def fails_knowledge(self, code: str, message: str) -> MockHost:
        """Every search raises a `KnowledgeError` with this code."""
        self._documents.failure = KnowledgeError(code, message)
        return self

    def remembers(self, *texts: str) -> MockHost:
        """Memories of the caller's. What the tool remembers is there as well."""
        for text in texts:
            self._memories.put(self._identity[0], text)
        return self

    def memories(self) -> list[str]:
        """The texts that the caller's agent remembers, the newest first."""
        return [one.text for one in self._memories.of(self._identity[0])]

    def fails_memory(self, code: str, message: str) -> MockHost:
        """Every operation on memories raises a `MemoriesError` with this code."""
        self._memories.failure = MemoriesError(code, message)
        return self

    def stores(self, key: str, value: Any) -> MockHost:
        """An entry of the caller's store. What the tool writes is there as well."""
        self._stores.of(self._identity[0])[key] = _values.json_text(value)
        return self

    def kv(self) -> dict[str, Any]:
        """The caller's store: the value of each key."""
        return {key: json.loads(value) for key, value in self._stores.of(self._identity[0]).items()}

    def shares_kv(self) -> MockHost:
        """All callers share one store, as with ``scope = "plugin"``; otherwise each user has one."""
        self._stores.shared = True
        return self

    def fails_kv(self, code: str, message: str) -> MockHost:
        """Every operation on the store raises a `KvError` with this code."""
        self._stores.failure = KvError(code, message)
        return self

    def puts(self, bucket: str, name: str, content: str | bytes, content_type: str = "text/plain") -> MockHost:
        """An object that is there. What the tool writes is there as well; no policy holds here."""
        self._objects.all[bucket, name] = Content(content.encode() if isinstance(content, str) else content, content_type)
        return self

    def stored(self, bucket: str, name: str) -> Content | None:
        """An object: what was put, or what the tool wrote."""
        return self._objects.all.get((bucket, name))

    def fails_storage(self, code: str, message: str) -> MockHost:
        """Every operation on objects raises a `StorageError` with this code."""
        self._objects.failure = StorageError(code, message)
        return self

    def responds(self, part: str, answer: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> MockHost:
        """What a server answers to a request whose method and address contain `part`, as in `GET https://a.test/x`; what was said last
        wins.

        Requests of `urllib.request`, requests and httpx come here as well. `answer` is text, bytes, an exception to raise, a function of the `Request`, or what is sent as JSON. A request that the
        test does not foresee fails the test.
        """
        self._servers.expect(part, answer, status, headers or {})
        return self

    @property
    def requests(self) -> list[Request]:
        """The requests that the tool sent, in order."""
        return self._servers.requests

    def call(self, tool: Tool[Any, Any], **arguments: Any) -> Any:
        """Calls a tool as the real host does, through JSON and back. Raises the `ToolError` that the model would see."""
        self._in_call, self._failure = True, None
        self._stores.begin_call()
        succeeded = False
        try:
            with self:
                text = _export.run({tool.name: tool}, tool.name, _values.json_text(arguments))
            succeeded = True
        finally:
            failure, self._in_call, self._failure = self._failure, False, None
            self._stores.end_call(succeeded and failure is None)
        if failure is not None:
            # As on the host: a statement that failed outside of a scope ends the call, whatever the tool returns.
            message = f"a statement failed, and the tool went on without it: {failure.message}"
            raise ToolError(message, code="commit_failed", retryable=failure.retryable)
        return json.loads(text)

    def __enter__(self) -> MockHost:
        self._before = _host.install(self)
        self._undo = _outside.install_for_test()
        self._handler = _Recorder(self)
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.INFO)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        self._undo()
        _host.install(self._before)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
        # A statement that no test foresaw is the test's failure, not the tool's.
        if isinstance(error, ToolError) and isinstance(error.__cause__, AssertionError):
            raise error.__cause__

    # What the tool sees.

    def query(self, sql: str, params: list[Wire]) -> RowSet:
        found, answer = self._answer(sql, params)
        if isinstance(answer, int):
            raise AssertionError(f"the test answers a number to a query: {sql}")
        rows = list(answer)
        names = list(rows[0]) if rows else list(found.types)
        columns = [Column(name, found.types.get(name) or _type_name(row[name] for row in rows)) for name in names]
        wire = [[_lower(row[column.name], column.type_name) for column in columns] for row in rows]
        return RowSet(columns, wire, found.truncated)

    def execute(self, sql: str, params: list[Wire]) -> int:
        _, answer = self._answer(sql, params)
        if not isinstance(answer, int):
            raise AssertionError(f"the test answers rows to `execute`, which returns their number: {sql}")
        return answer

    def commit(self) -> None:
        if self._open_scopes:
            raise DatabaseError("invalid", "A scope is open; end it before the commit.")
        self._stores.commit()
        self.commits += 1

    def begin_scope(self) -> None:
        self._check_scope()
        if len(self._open_scopes) == _MAX_SCOPES:
            raise DatabaseError("limit", f"{_MAX_SCOPES} scopes are open already; end one first.")
        self._open_scopes.append(False)
        self._stores.begin_scope()

    def end_scope(self, keep: bool) -> None:
        if not self._open_scopes:
            raise DatabaseError("invalid", "No scope is open.")
        failed = self._open_scopes.pop()
        self.scopes.append(keep and not failed)
        self._stores.end_scope(keep and not failed)
        if keep and failed:
            raise _aborted()

    def describe(self, schema: str | None) -> str:
        return json.dumps([table for table in self._description if schema in (None, table.get("schema"))])

    def search(self, text: str, options: str) -> list[Passage]:
        found = self._documents.search(self._identity[0], text, options)
        return self._passages if found is None else found

    def remember(self, text: str, meta: str) -> str:
        return self._memories.remember(self._identity[0], text, meta)

    def recall(self, query: str, top_k: int) -> list[Entry]:
        return self._memories.recall(self._identity[0], query, top_k)

    def forget(self, id: str) -> bool:
        return self._memories.forget(self._identity[0], id)

    def kv_get(self, key: str) -> str | None:
        return self._store().get(self._identity[0], key)

    def kv_set(self, key: str, value: str) -> None:
        self._store().set(self._identity[0], key, value)

    def kv_replace(self, key: str, old: str | None, value: str) -> bool:
        return self._store().replace(self._identity[0], key, old, value)

    def kv_remove(self, key: str) -> bool:
        return self._store().remove(self._identity[0], key)

    def kv_keys(self, prefix: str, after: str | None, limit: int) -> list[str]:
        return self._store().keys(self._identity[0], prefix, after, limit)

    def list_objects(self, bucket: str, prefix: str, limit: int, cursor: str | None) -> Page:
        return self._objects.list_objects(bucket, prefix, limit, cursor)

    def read_object(self, bucket: str, name: str, max_bytes: int) -> Content:
        return self._objects.read_object(bucket, name, max_bytes)

    def write_object(self, bucket: str, name: str, content: bytes, content_type: str, upsert: bool) -> None:
        self._objects.write_object(bucket, name, content, content_type, upsert)

    def remove_object(self, bucket: str, name: str) -> None:
        self._objects.remove_object(bucket, name)

    def signed_url(self, bucket: str, name: str, expires_in: int) -> str:
        return self._objects.signed_url(bucket, name, expires_in)

    def send(self, request: HttpRequest) -> HttpAnswer:
        return self._servers.send(request)

    def log(self, level: str, message: str) -> None:
        self.logs.append((level, message))

    def report(self, done: int, total: int | None, message: str | None) -> None:
        self.progress.append((done, total, message))

    def partial(self, part: str) -> None:
        self.partials.append(json.loads(part))

    def settings(self) -> str:
        return self._settings

    def identity(self) -> tuple[str | None, str, str]:
        return self._identity

    def call_facts(self) -> str:
        return json.dumps({"call_id": str(UUID(int=0))})

    def remaining_ms(self) -> int:
        return self._remaining_ms

    def _store(self) -> MockStores:
        """The store is part of the call's transaction: after a failed statement it is out of reach as well."""
        try:
            self._check_scope()
        except DatabaseError as error:
            raise KvError(error.code, error.message) from None
        return self._stores

    def _check_scope(self) -> None:
        if self._failure is not None or (self._open_scopes and self._open_scopes[-1]):
            raise _aborted()

    def _answer(self, sql: str, params: list[Wire]) -> tuple[_Answer, Any]:
        self._check_scope()
        self.statements.append(Statement(sql, params))
        flat = _flat(sql)
        found = next((one for one in self._answers if one.fragment in flat), None)
        if found is None:
            raise AssertionError(f"the test does not say what to answer to: {' '.join(sql.split())}")
        answer = found.answer(*params) if callable(found.answer) else found.answer
        if isinstance(answer, Exception):
            # What the host refuses before it reaches the database ends nothing.
            if isinstance(answer, DatabaseError) and answer.code not in ("refused", "not_granted"):
                if self._open_scopes:
                    self._open_scopes[-1] = True
                elif self._in_call and self._failure is None:
                    self._failure = answer
            raise answer
        return found, answer


class _Recorder(logging.Handler):
    def __init__(self, host: MockHost) -> None:
        super().__init__()
        self._host = host

    def emit(self, record: logging.LogRecord) -> None:
        self._host.log(level_name(record.levelno), record.getMessage())


def denied(message: str = "permission denied") -> DatabaseError:
    """An answer for `MockHost.on`: the database refuses."""
    return DatabaseError("forbidden", message, sqlstate="42501")


def _aborted() -> DatabaseError:
    return DatabaseError("aborted", "An earlier statement of this call, or of the open scope, failed, so its work was undone.")


def _flat(sql: str) -> str:
    return " ".join(sql.split()).lower()


def _type_name(values: Iterable[Any]) -> str:
    value = next((value for value in values if value is not None), None)
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), "text")


def _lower(value: Any, type_name: str) -> Wire:
    """A value as the host hands it over."""
    if value is not None and _values.is_json(type_name):
        return _values.json_text(value)
    return _values.to_wire(value)
