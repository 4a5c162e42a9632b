"""What an agent remembers of its user: memories of the user and the agent of the call, and of nobody else.

A memory is kept or removed at once. It is no part of the call's transaction, and stays where the call fails later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import _host

__all__ = ["Memory", "forget", "recall", "remember"]


@dataclass(frozen=True)
class Memory:
    """What was remembered. Scores are comparable within one answer only; higher fits better. `created_at` is RFC 3339."""

    id: str
    text: str
    score: float
    meta: dict[str, Any]
    created_at: str


def remember(text: str, **meta: Any) -> str:
    """Keeps a text of at most 8,000 bytes, with what is added to it; returns its id."""
    return _host.current().remember(text, json.dumps(meta))


def recall(query: str = "", *, top_k: int = 10) -> list[Memory]:
    """The memories that fit `query` best, 1 to 50 of them; the newest first where it is empty."""
    found = _host.current().recall(query, top_k)
    return [Memory(one.id, one.text, one.score, json.loads(one.meta), one.created_at) for one in found]


def forget(id: str) -> bool:
    """Removes a memory. False where there is none of this id."""
    return _host.current().forget(id)
