"""Takes what goes through `logging` to the host's log."""

from __future__ import annotations

import logging

from . import _host


class HostHandler(logging.Handler):
    """Writes records to the log of the call. Before the first call there is none, and they are dropped."""

    def emit(self, record: logging.LogRecord) -> None:
        if not _host.is_present():
            return
        try:
            _host.current().log(level_name(record.levelno), self.format(record))
        except Exception:  # A log line must not end a call.
            self.handleError(record)


def level_name(number: int) -> str:
    """The host's name of a level."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    if number >= logging.INFO:
        return "info"
    return "debug" if number >= logging.DEBUG else "trace"


def install() -> None:
    """Makes the host's log the one of every logger, from `INFO` on. Again without harm."""
    root = logging.getLogger()
    if any(isinstance(handler, HostHandler) for handler in root.handlers):
        return
    handler = HostHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
