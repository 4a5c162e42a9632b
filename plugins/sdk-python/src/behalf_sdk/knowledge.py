"""Search in knowledge bases, as the caller: chunks of sources the caller may not read do not exist."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import _host


@dataclass(frozen=True)
class Passage:
    """A chunk that fits the query. Scores are comparable within one answer only; higher fits better."""

    chunk: str
    source: str
    text: str
    score: float
    meta: dict[str, Any]


def search(text: str, **options: Any) -> list[Passage]:
    """Searches. Options: `knowledge_bases`, `top_k`, `method`, `filter_metadata`, `threshold`."""
    found = _host.current().search(text, json.dumps(options))
    return [Passage(one.chunk, one.source, one.text, one.score, json.loads(one.meta)) for one in found]
