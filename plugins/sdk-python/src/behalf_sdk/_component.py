"""The real host: the component's imports. Importable in a component only."""

from __future__ import annotations

from typing import Any

from componentize_py_types import Err
from wit_world.imports import caller, log, progress, settings

from ._host import Column, Content, Entry, HttpAnswer, HttpRequest, Page, Passage, RowSet, StoredObject, Wire
from ._text import well_formed
from .errors import DatabaseError, HttpError, KnowledgeError, KvError, MemoriesError, StorageError

# A world has these only where plugin.toml grants them.
try:
    from wit_world.imports import database
except ImportError:
    database = None
try:
    from wit_world.imports import knowledge
except ImportError:
    knowledge = None
try:
    from wit_world.imports import memory
except ImportError:
    memory = None
try:
    from wit_world.imports import kv
except ImportError:
    kv = None
try:
    from wit_world.imports import storage
except ImportError:
    storage = None
try:
    from . import _component_http
except ImportError:
    _component_http = None  # type: ignore[assignment]

_LEVELS = {level.name.lower(): level for level in log.Level}


def _lower(value: Wire) -> Any:
    # `bool` before `int`, whose subclass it is.
    if value is None:
        return database.Value_Null()
    if isinstance(value, bool):
        return database.Value_Boolean(value)
    if isinstance(value, int):
        return database.Value_Integer(value)
    if isinstance(value, float):
        return database.Value_Float(value)
    if isinstance(value, str):
        return database.Value_Text(well_formed(value))
    if isinstance(value, bytes):
        return database.Value_Bytes(value)
    return database.Value_Vector(value)


def _database_error(error: Err) -> DatabaseError:
    raised = error.value
    return DatabaseError(raised.code, raised.message, sqlstate=raised.sqlstate, retryable=raised.retryable)


def _granted_database() -> Any:
    if database is None:
        raise DatabaseError(
            "not_granted", "This tool was built without a database: plugin.toml has no [grants.database]."
        )
    return database


def _granted_memory() -> Any:
    if memory is None:
        raise MemoriesError("not_granted", "This tool was built without memories: plugin.toml has no `memory` in [grants].")
    return memory


def _memory_error(error: Err) -> MemoriesError:
    raised = error.value
    return MemoriesError(raised.code, raised.message, retryable=raised.retryable)


def _granted_kv() -> Any:
    if kv is None:
        raise KvError("not_granted", "This tool was built without a store of its own: plugin.toml has no [grants.kv].")
    return kv


def _kv_error(error: Err) -> KvError:
    raised = error.value
    return KvError(raised.code, raised.message, retryable=raised.retryable)


def _granted_storage() -> Any:
    if storage is None:
        raise StorageError(
            "not_granted", "This tool was built without buckets: plugin.toml has no [grants.storage]."
        )
    return storage


def _storage_error(error: Err) -> StorageError:
    raised = error.value
    return StorageError(raised.code, raised.message, retryable=raised.retryable)


def _count(number: float) -> int:
    return min(max(0, int(number)), 2**64 - 1)


class ComponentHost:
    """Calls the component's imports."""

    def query(self, sql: str, params: list[Wire]) -> RowSet:
        imported = _granted_database()
        try:
            answer = imported.query(well_formed(sql), [_lower(value) for value in params])
        except Err as error:
            raise _database_error(error) from None
        null = imported.Value_Null
        return RowSet(
            columns=[Column(column.name, column.type_name) for column in answer.columns],
            rows=[[None if type(value) is null else value.value for value in row] for row in answer.rows],
            truncated=answer.truncated,
        )

    def execute(self, sql: str, params: list[Wire]) -> int:
        imported = _granted_database()
        try:
            return imported.execute(well_formed(sql), [_lower(value) for value in params])
        except Err as error:
            raise _database_error(error) from None

    def commit(self) -> None:
        try:
            _granted_database().commit()
        except Err as error:
            raise _database_error(error) from None

    def begin_scope(self) -> None:
        try:
            _granted_database().begin_scope()
        except Err as error:
            raise _database_error(error) from None

    def end_scope(self, keep: bool) -> None:
        try:
            _granted_database().end_scope(keep)
        except Err as error:
            raise _database_error(error) from None

    def describe(self, schema: str | None) -> str:
        try:
            return _granted_database().describe(None if schema is None else well_formed(schema))
        except Err as error:
            raise _database_error(error) from None

    def search(self, text: str, options: str) -> list[Passage]:
        if knowledge is None:
            raise KnowledgeError(
                "not_granted", "This tool was built without knowledge bases: plugin.toml has no [grants.knowledge]."
            )
        try:
            found = knowledge.search(well_formed(text), options)
        except Err as error:
            raised = error.value
            raise KnowledgeError(raised.code, raised.message, retryable=raised.retryable) from None
        return [Passage(one.chunk, one.source, one.text, one.score, one.meta) for one in found]

    def remember(self, text: str, meta: str) -> str:
        try:
            return _granted_memory().remember(well_formed(text), well_formed(meta))
        except Err as error:
            raise _memory_error(error) from None

    def recall(self, query: str, top_k: int) -> list[Entry]:
        try:
            found = _granted_memory().recall(well_formed(query), min(_count(top_k), 2**32 - 1))
        except Err as error:
            raise _memory_error(error) from None
        return [Entry(one.id, one.text, one.score, one.meta, one.created_at) for one in found]

    def forget(self, id: str) -> bool:
        try:
            return _granted_memory().forget(well_formed(id))
        except Err as error:
            raise _memory_error(error) from None

    def kv_get(self, key: str) -> str | None:
        try:
            return _granted_kv().get(well_formed(key))
        except Err as error:
            raise _kv_error(error) from None

    def kv_set(self, key: str, value: str) -> None:
        try:
            _granted_kv().set(well_formed(key), well_formed(value))
        except Err as error:
            raise _kv_error(error) from None

    def kv_replace(self, key: str, old: str | None, value: str) -> bool:
        try:
            return _granted_kv().replace(well_formed(key), old, well_formed(value))
        except Err as error:
            raise _kv_error(error) from None

    def kv_remove(self, key: str) -> bool:
        try:
            return _granted_kv().remove(well_formed(key))
        except Err as error:
            raise _kv_error(error) from None

    def kv_keys(self, prefix: str, after: str | None, limit: int) -> list[str]:
        start = None if after is None else well_formed(after)
        try:
            return _granted_kv().keys(well_formed(prefix), start, min(_count(limit), 2**32 - 1))
        except Err as error:
            raise _kv_error(error) from None

    def list_objects(self, bucket: str, prefix: str, limit: int, cursor: str | None) -> Page:
        start = None if cursor is None else well_formed(cursor)
        most = min(_count(limit), 2**32 - 1)
        try:
            page = _granted_storage().list_objects(well_formed(bucket), well_formed(prefix), most, start)
        except Err as error:
            raise _storage_error(error) from None
        objects = [StoredObject(one.name, one.size, one.content_type, one.updated_at) for one in page.objects]
        return Page(objects, page.next)

    def read_object(self, bucket: str, name: str, max_bytes: int) -> Content:
        try:
            content = _granted_storage().read(well_formed(bucket), well_formed(name), _count(max_bytes))
        except Err as error:
            raise _storage_error(error) from None
        return Content(content.bytes, content.content_type)

    def write_object(self, bucket: str, name: str, content: bytes, content_type: str, upsert: bool) -> None:
        given = (well_formed(bucket), well_formed(name), content, well_formed(content_type), upsert)
        try:
            _granted_storage().write(*given)
        except Err as error:
            raise _storage_error(error) from None

    def remove_object(self, bucket: str, name: str) -> None:
        try:
            _granted_storage().remove(well_formed(bucket), well_formed(name))
        except Err as error:
            raise _storage_error(error) from None

    def signed_url(self, bucket: str, name: str, expires_in: int) -> str:
        seconds = min(_count(expires_in), 2**32 - 1)
        try:
            return _granted_storage().signed_url(well_formed(bucket), well_formed(name), seconds)
        except Err as error:
            raise _storage_error(error) from None

    def send(self, request: HttpRequest) -> HttpAnswer:
        if _component_http is None:
            raise HttpError("denied", "This tool was built without HTTP: plugin.toml has no [grants.http].")
        return _component_http.send(request)

    def log(self, level: str, message: str) -> None:
        log.write(_LEVELS[level], well_formed(message))

    def report(self, done: int, total: int | None, message: str | None) -> None:
        progress.report(
            _count(done),
            None if total is None else _count(total),
            None if message is None else well_formed(message),
        )

    def partial(self, part: str) -> None:
        progress.partial(well_formed(part))

    def settings(self) -> str:
        return settings.get_all()

    def identity(self) -> tuple[str | None, str, str]:
        identity = caller.get_identity()
        return identity.subject, identity.role, identity.claims

    def call_facts(self) -> str:
        return caller.get_call()

    def remaining_ms(self) -> int:
        return caller.remaining_ms()
