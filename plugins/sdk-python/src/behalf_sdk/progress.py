"""Progress of a long call, shown to the caller as it happens."""

from __future__ import annotations

from . import _host


def report(done: int, total: int | None = None, message: str | None = None) -> None:
    """`done` of `total` units, with an optional sentence. Reports beyond the host's budget are dropped silently."""
    _host.current().report(done, total, message)
