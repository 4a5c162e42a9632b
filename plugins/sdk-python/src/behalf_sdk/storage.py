"""The app's buckets and objects, as the caller: the app's policies decide which objects exist.

A write or a removal is done at once. It is no part of the call's transaction, and stays where the call fails later.
"""

from __future__ import annotations

from . import _host
from ._host import Content, Page, StoredObject

__all__ = ["Content", "Page", "StoredObject", "list_objects", "read", "read_text", "remove", "signed_url", "write"]

#: Bytes of an object that `read` takes where nothing else is said. The host's own bound is 16 MiB as well.
_MAX_BYTES = 16 * 1024 * 1024


def list_objects(bucket: str, prefix: str = "", *, limit: int = 100, cursor: str | None = None) -> Page:
    """The objects whose names begin with `prefix`, in the order of their names; `next` is the cursor of the next page."""
    return _host.current().list_objects(bucket, prefix, limit, cursor)


def read(bucket: str, name: str, *, max_bytes: int = _MAX_BYTES) -> Content:
    """A whole object: `data`, its bytes, and `content_type`, its media type."""
    return _host.current().read_object(bucket, name, max_bytes)


def read_text(bucket: str, name: str, *, max_bytes: int = _MAX_BYTES) -> str:
    """A whole object that is a text."""
    return read(bucket, name, max_bytes=max_bytes).data.decode()


def write(bucket: str, name: str, content: str | bytes, *, content_type: str | None = None, upsert: bool = True) -> None:
    """Writes an object of a text or bytes; replaces the one of this name unless `upsert` is false."""
    if isinstance(content, str):
        given, usual = content.encode("utf-8", "replace"), "text/plain;charset=UTF-8"
    else:
        given, usual = content, "application/octet-stream"
    _host.current().write_object(bucket, name, given, content_type or usual, upsert)


def remove(bucket: str, name: str) -> None:
    """Removes an object."""
    _host.current().remove_object(bucket, name)


def signed_url(bucket: str, name: str, expires_in: int) -> str:
    """An address at which whoever has it can read the object for so many seconds."""
    return _host.current().signed_url(bucket, name, expires_in)
