"""The servers of a mocked host: what a test says that they answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import _values
from ._host import HttpAnswer, HttpRequest


@dataclass(frozen=True)
class Request:
    """A request that the tool sent."""

    method: str
    url: str
    #: Names in small letters.
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.content)


@dataclass(frozen=True)
class _Expected:
    part: str
    answer: Any
    status: int
    headers: dict[str, str]


class MockServers:
    """Answers requests by what their method and address contain."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._expected: list[_Expected] = []

    def expect(self, part: str, answer: Any, status: int, headers: dict[str, str]) -> None:
        self._expected.insert(0, _Expected(part, answer, status, {name.lower(): value for name, value in headers.items()}))

    def send(self, sent: HttpRequest) -> HttpAnswer:
        url = f"{sent.scheme}://{sent.authority}{sent.path}"
        headers = {name.lower(): value.decode() for name, value in sent.headers}
        request = Request(sent.method, url, headers, sent.body or b"")
        self.requests.append(request)
        line = f"{request.method} {url}"
        found = next((one for one in self._expected if one.part in line), None)
        if found is None:
            raise AssertionError(f"the test does not say what to answer to: {line}")
        answer = found.answer(request) if callable(found.answer) else found.answer
        if isinstance(answer, Exception):
            raise answer
        body, kind = _body(answer)
        headers = {"content-type": kind, **found.headers}
        return HttpAnswer(found.status, list(headers.items()), b"" if sent.method == "HEAD" else body)


def _body(answer: Any) -> tuple[bytes, str]:
    """Bytes and text as they are; all else as JSON."""
    if isinstance(answer, bytes):
        return answer, "application/octet-stream"
    if isinstance(answer, str):
        return answer.encode(), "text/plain;charset=UTF-8"
    return _values.json_text(answer).encode(), "application/json"
