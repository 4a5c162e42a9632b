"""The documents and memories of a mocked host."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from ._host import Entry, Passage
from .errors import KnowledgeError, MemoriesError

#: When every memory was kept.
_KEPT = "2026-01-01T00:00:00Z"
#: Passages of an answer where the tool does not say how many.
_TOP_K = 5


@dataclass(frozen=True)
class _Document:
    user: str | None
    base: str
    name: str
    text: str


class MockDocuments:
    """Documents, each of one user."""

    def __init__(self) -> None:
        self.all: list[_Document] = []
        #: Raised by every search, where a test says so.
        self.failure: KnowledgeError | None = None

    def put(self, user: str | None, base: str, name: str, text: str) -> None:
        self.all.append(_Document(user, base, name, text))

    def search(self, user: str | None, text: str, options: str) -> list[Passage] | None:
        """What a user finds; None where no document was ever put."""
        if self.failure is not None:
            raise self.failure
        if not self.all:
            return None
        given = json.loads(options)
        asked = given.get("knowledge_bases")
        mine = [(place, one) for place, one in enumerate(self.all) if one.user == user]
        for name in asked or []:
            if not any(one.base == name for _, one in mine):
                raise KnowledgeError("not_granted", f'this call has no knowledge base "{name}"')
        found = [
            Passage(
                _id(8, place),
                _id(9, place),
                one.text,
                _likeness(text, one.text),
                json.dumps({"source_name": one.name, "knowledge_base_id": one.base}),
            )
            for place, one in mine
            if asked is None or one.base in asked
        ]
        found = [one for one in found if one.score >= given.get("threshold", 0)]
        return sorted(found, key=lambda one: -one.score)[: given.get("top_k", _TOP_K)]


class MockMemories:
    """Memories, each of one user."""

    def __init__(self) -> None:
        #: The oldest first.
        self.all: list[tuple[str | None, Entry]] = []
        self.kept = 0
        #: Raised by every operation, where a test says so.
        self.failure: MemoriesError | None = None

    def put(self, user: str | None, text: str, meta: str = "{}") -> str:
        entry = Entry(_id(8, self.kept), text, 0.0, meta, _KEPT)
        self.kept += 1
        self.all.append((user, entry))
        return entry.id

    def of(self, user: str | None) -> list[Entry]:
        """Those of a user, the newest first."""
        return [entry for of, entry in reversed(self.all) if of == user]

    def remember(self, user: str | None, text: str, meta: str) -> str:
        self._check(user)
        return self.put(user, text, meta)

    def recall(self, user: str | None, query: str, top_k: int) -> list[Entry]:
        self._check(user)
        scored = [replace(one, score=_likeness(query, one.text)) for one in self.of(user)]
        return sorted(scored, key=lambda one: -one.score)[:top_k]

    def forget(self, user: str | None, id: str) -> bool:
        self._check(user)
        before = len(self.all)
        self.all = [(of, one) for of, one in self.all if of != user or one.id != id]
        return len(self.all) < before

    def _check(self, user: str | None) -> None:
        if self.failure is not None:
            raise self.failure
        if user is None:
            raise MemoriesError("denied", "only a user has memories, and this call is made for no user")


def _likeness(question: str, text: str) -> float:
    """The share of the question's words that a text has."""
    asked, has = (set(re.findall(r"\w+", words.lower())) for words in (question, text))
    return len(asked & has) / max(len(asked), 1)


def _id(kind: int, place: int) -> str:
    return f"00000000-0000-4000-{kind}000-{place + 1:012}"
