"""Where the SDK reaches the host: the component's imports, or a test's stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Union

#: A database value on its way in or out. A vector is a list of floats; everything that has no type here is text.
Wire = Union[None, bool, int, float, str, bytes, "list[float]"]


@dataclass(frozen=True)
class Column:
    """One column of an answer: its name, and its type as Postgres spells it (``int4``, ``_text``)."""

    name: str
    type_name: str


@dataclass(frozen=True)
class RowSet:
    """Rows as they come from the host."""

    columns: list[Column]
    rows: list[list[Wire]]
    truncated: bool


@dataclass(frozen=True)
class Passage:
    """A chunk of a knowledge base that fits a search. ``meta`` is a JSON object."""

    chunk: str
    source: str
    text: str
    score: float
    meta: str


@dataclass(frozen=True)
class Entry:
    """A memory. ``meta`` is a JSON object, ``created_at`` RFC 3339."""

    id: str
    text: str
    score: float
    meta: str
    created_at: str


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket. ``updated_at`` is RFC 3339."""

    name: str
    size: int
    content_type: str
    updated_at: str


@dataclass(frozen=True)
class Page:
    """A part of a list of objects, and the cursor of the next one."""

    objects: list[StoredObject]
    next: str | None


@dataclass(frozen=True)
class Content:
    """A whole object."""

    data: bytes
    content_type: str


@dataclass(frozen=True)
class HttpRequest:
    """A request on its way out. ``authority`` is host and port, ``timeout`` is in seconds."""

    method: str
    scheme: str
    authority: str
    path: str
    headers: list[tuple[str, bytes]]
    body: bytes | None
    timeout: float | None


@dataclass(frozen=True)
class HttpAnswer:
    """An answer, with its whole body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Host(Protocol):
    """What a host offers during a call. The methods raise the errors of `errors`."""

    def query(self, sql: str, params: list[Wire]) -> RowSet: ...
    def execute(self, sql: str, params: list[Wire]) -> int: ...
    def commit(self) -> None: ...
    def begin_scope(self) -> None: ...
    def end_scope(self, keep: bool) -> None: ...
    def describe(self, schema: str | None) -> str: ...
    def search(self, text: str, options: str) -> list[Passage]: ...
    def remember(self, text: str, meta: str) -> str: ...
    def recall(self, query: str, top_k: int) -> list[Entry]: ...
    def forget(self, id: str) -> bool: ...
    def kv_get(self, key: str) -> str | None: ...
    def kv_set(self, key: str, value: str) -> None: ...
    def kv_replace(self, key: str, old: str | None, value: str) -> bool: ...
    def kv_remove(self, key: str) -> bool: ...
    def kv_keys(self, prefix: str, after: str | None, limit: int) -> list[str]: ...
    def list_objects(self, bucket: str, prefix: str, limit: int, cursor: str | None) -> Page: ...
    def read_object(self, bucket: str, name: str, max_bytes: int) -> Content: ...
    def write_object(self, bucket: str, name: str, content: bytes, content_type: str, upsert: bool) -> None: ...
    def remove_object(self, bucket: str, name: str) -> None: ...
    def signed_url(self, bucket: str, name: str, expires_in: int) -> str: ...
    def send(self, request: HttpRequest) -> HttpAnswer: ...
    def log(self, level: str, message: str) -> None: ...
    def report(self, done: int, total: int | None, message: str | None) -> None: ...
    def partial(self, part: str) -> None: ...
    def settings(self) -> str: ...
    def identity(self) -> tuple[str | None, str, str]: ...
    def call_facts(self) -> str: ...
    def remaining_ms(self) -> int: ...


_current: Host | None = None
#: The hints of the tool that is called. The host enforces some of them.
_hints: dict[str, bool] | None = None


def current() -> Host:
    """The host of the call that is running."""
    if _current is None:
        raise RuntimeError(
            "There is no host here. A module of a component is imported when the component is built, before any call: "
            "use the host inside a tool's function. In a unit test, use `behalf_sdk.testing.MockHost`."
        )
    return _current


def is_present() -> bool:
    """Whether a call is running."""
    return _current is not None


def install(host: Host | None) -> Host | None:
    """Makes `host` the current one and returns the one before it."""
    global _current
    before, _current = _current, host
    return before


def hints() -> dict[str, bool] | None:
    """What the tool that is called says of itself; none where no tool is called."""
    return _hints


def say_hints(said: dict[str, bool] | None) -> None:
    """A tool that says this of itself is called from here on."""
    global _hints
    _hints = said
