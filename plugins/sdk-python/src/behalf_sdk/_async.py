"""`async def` in a component, where nothing waits beside anything else: there are no sockets and no threads."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine
from typing import Any


class _Sleeper:
    """In the place of a selector: no descriptor ever becomes ready, so what is left is time that passes."""

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError(
                "Every task waits for something that never comes: a component has no sockets, no threads and no other processes."
            )
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self) -> None:
        return None


class _Loop(asyncio.BaseEventLoop):
    """Runs tasks and timers. asyncio's own loops begin with a pair of sockets, and a component has none."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Sleeper()

    def _process_events(self, event_list: list[Any]) -> None:
        return None

    def _write_to_self(self) -> None:
        return None

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("A component has no threads: call the function itself instead of to_thread or run_in_executor.")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine to its end."""
    return asyncio.run(work)


def install() -> None:
    """Makes `asyncio.run` and its like use this loop. Only for components."""
    if sys.version_info < (3, 14):
        return
    asyncio.new_event_loop = asyncio.events.new_event_loop = _Loop
