"""Takes what goes through `logging` to the host's log."""

from __future__ import annotations

import logging
import traceback

from . import _host


class HostHandler(logging.Handler):
    """Writes records to the log of the call. Before the first call there is none, and they are dropped."""

    def emit(self, record: logging.LogRecord) -> None:
        if not _host.is_present():
            return
        try:
            # Not `format`: it asks a formatter, which costs more than the line.
            line = f"{record.name}: {record.getMessage()}"
            if record.exc_info:
                line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
            _host.current().log(level_name(record.levelno), line)
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
    root.addHandler(HostHandler())
    root.setLevel(logging.INFO)
    # A line's thread and process are always the same here, and looking up its caller costs more than the line.
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks", "_srcfile"):
        setattr(logging, name, None)
