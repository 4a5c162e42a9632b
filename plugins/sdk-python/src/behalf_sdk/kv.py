"""A small store of the plugin's own: values by their keys, for each user who calls or, where that was granted, for all callers.

What is written is part of the call's transaction: it is kept where the call succeeds and undone where it fails, and `scope`
and `commit` mean it as well. Values are whatever JSON can say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import _host
from ._values import json_text
from .errors import KvError

__all__ = ["get", "keys", "remove", "set", "update"]

#: How often `update` tries while other calls write the same key.
_TRIES = 10


def get(key: str, default: Any = None) -> Any:
    """The value of a key; `default` where there is none."""
    text = _host.current().kv_get(key)
    return default if text is None else json.loads(text)


def set(key: str, value: Any) -> None:
    """Writes a value: at most 65,536 bytes as JSON. A key has 1 to 256 bytes."""
    _host.current().kv_set(key, json_text(value))


def update(key: str, change: Callable[[Any], Any], default: Any = None) -> Any:
    """Writes what `change` makes of the present value, or of `default` where there is none, and returns it.

    No change of another call is lost: `change` is called again where one came in between.
    """
    host = _host.current()
    for _ in range(_TRIES):
        old = host.kv_get(key)
        new = change(default if old is None else json.loads(old))
        if host.kv_replace(key, old, json_text(new)):
            return new
    raise KvError("unavailable", f"other calls write to {key!r} all the time; try again shortly", retryable=True)


def remove(key: str) -> bool:
    """Removes a key. False where there is none."""
    return _host.current().kv_remove(key)


def keys(prefix: str = "", *, after: str | None = None, limit: int = 1000) -> list[str]:
    """The keys that begin with `prefix`, in the order of their bytes: those after `after`, `limit` (1 to 1,000) at most."""
    return _host.current().kv_keys(prefix, after, limit)
