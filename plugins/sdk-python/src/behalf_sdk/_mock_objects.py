"""The objects of a mocked host: what a test put there, and what the tool wrote."""

from __future__ import annotations

from ._host import Content, Page, StoredObject
from .errors import StorageError

#: When every object was written.
_WRITTEN = "2026-01-01T00:00:00Z"


class MockObjects:
    """Buckets without policies."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str], Content] = {}
        #: Raised by every operation, where a test says so.
        self.failure: StorageError | None = None

    def list_objects(self, bucket: str, prefix: str, limit: int, cursor: str | None) -> Page:
        self._check()
        names = sorted(name for of, name in self.all if of == bucket and name.startswith(prefix) and name > (cursor or ""))
        page = [self._listed(bucket, name) for name in names[:limit]]
        return Page(page, page[-1].name if len(names) > limit else None)

    def read_object(self, bucket: str, name: str, max_bytes: int) -> Content:
        content = self._found(bucket, name)
        if len(content.data) > max_bytes:
            raise StorageError("too_large", "The object is larger than the call reads.")
        return content

    def write_object(self, bucket: str, name: str, content: bytes, content_type: str, upsert: bool) -> None:
        self._check()
        if not upsert and (bucket, name) in self.all:
            raise StorageError("exists", "The resource already exists")
        self.all[bucket, name] = Content(content, content_type)

    def remove_object(self, bucket: str, name: str) -> None:
        self._found(bucket, name)
        del self.all[bucket, name]

    def signed_url(self, bucket: str, name: str, expires_in: int) -> str:
        self._found(bucket, name)
        return f"https://files.test/{bucket}/{name}?seconds={expires_in}"

    def _listed(self, bucket: str, name: str) -> StoredObject:
        content = self.all[bucket, name]
        return StoredObject(name, len(content.data), content.content_type, _WRITTEN)

    def _found(self, bucket: str, name: str) -> Content:
        self._check()
        found = self.all.get((bucket, name))
        if found is None:
            raise StorageError("not_found", "Object not found")
        return found

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
