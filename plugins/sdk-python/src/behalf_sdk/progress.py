"""Progress of a long call, and parts of its result, shown to the caller as they come."""

from __future__ import annotations

from typing import Any

from . import _host, _values


def report(done: int, total: int | None = None, message: str | None = None) -> None:
    """`done` of `total` units, with an optional sentence. Reports beyond the host's budget are dropped silently."""
    _host.current().report(done, total, message)


def partial(value: Any) -> None:
    """Shows a part of the result at once: what JSON can say, of at most 65,536 bytes.

    The result of the call stays what the tool returns.
    """
    _host.current().partial(_values.json_text(value))
