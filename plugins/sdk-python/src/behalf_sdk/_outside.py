"""Takes what Python's library and the usual packages send through the host, as far as they are imported.

A component has no sockets. `urllib.request`, requests and httpx send their requests as `behalf_sdk.http` does; all else that
opens a socket gets an error that says what to use.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from . import http
from ._host import HttpAnswer

#: Headers that are the host's business: how a connection is used, and encodings that nobody here would decode.
_HOSTS = frozenset(("accept-encoding", "connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"))


#: An attribute of a module or a class, by its owner and its name, and what takes its place.
_Replacement = tuple[Any, str, Any]


def install() -> None:
    """Does so for the modules that are imported now, in a component."""
    if "asyncio" in sys.modules:
        from . import _async

        _async.install()
    if "socket" in sys.modules:
        _replace_sockets(sys.modules["socket"])
    for owner, name, value in _replacements():
        setattr(owner, name, value)


def install_for_test() -> Callable[[], None]:
    """Does so until the function that is returned is called. Sockets stay, for the test may need them."""
    kept = [(owner, name, vars(owner).get(name, _MISSING)) for owner, name, _ in _replacements()]
    for owner, name, value in _replacements():
        setattr(owner, name, value)

    def undo() -> None:
        for owner, name, value in kept:
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)

    return undo


_MISSING = object()


def _replacements() -> list[_Replacement]:
    known: list[tuple[str, Callable[[Any], list[_Replacement]]]] = [
        ("urllib.request", _for_urllib),
        ("requests", _for_requests),
        ("httpx", _for_httpx),
    ]
    return [one for name, replace in known if name in sys.modules for one in replace(sys.modules[name])]


def _send(method: str, url: str, headers: Mapping[str, Any], body: Any, timeout: Any) -> HttpAnswer:
    given = {name.lower(): _text(value) for name, value in headers.items()}
    seconds = max((one for one in timeout if one), default=None) if isinstance(timeout, tuple) else timeout
    return http.send(
        method.upper(),
        url,
        {name: value for name, value in given.items() if name not in _HOSTS},
        _bytes(body),
        float(seconds) if isinstance(seconds, (int, float)) else None,
    )


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, Iterable) and not isinstance(body, (bytearray, memoryview)):
        return b"".join(part.encode() if isinstance(part, str) else bytes(part) for part in body)
    return bytes(body)


def _replace_sockets(socket: Any) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("A component has no sockets: send requests with behalf_sdk.http, urllib.request, requests or httpx.")

    socket.socket.__init__ = socket.getaddrinfo = socket.gethostbyname = refuse


def _for_urllib(request: Any) -> list[_Replacement]:
    # They come with `urllib.request`, and are large.
    from email.message import Message
    from urllib.response import addinfourl

    class Handler(request.HTTPHandler):  # type: ignore[misc]
        # Before the library's own, of which a component has only one.
        handler_order = 100

        def http_open(self, asked: Any) -> Any:
            headers = {**asked.unredirected_hdrs, **asked.headers}
            answer = _send(asked.get_method(), asked.full_url, headers, asked.data, asked.timeout)
            message = Message()
            for name, value in answer.headers:
                message[name] = value
            response: Any = addinfourl(io.BytesIO(answer.body), message, asked.full_url, answer.status)
            response.msg = response.reason = _reason(answer.status)
            return response

        https_open = http_open
        https_request = request.HTTPHandler.http_request

    return [(request, "_opener", request.build_opener(Handler))]


def _for_requests(requests: Any) -> list[_Replacement]:
    def send(_adapter: Any, asked: Any, stream: bool = False, timeout: Any = None, **_: Any) -> Any:
        answer = _send(asked.method, asked.url, asked.headers, asked.body, timeout)
        response = requests.Response()
        response.status_code, response.reason = answer.status, _reason(answer.status)
        response.headers = requests.structures.CaseInsensitiveDict(http.Headers(answer.headers))
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw, response._content, response._content_consumed = io.BytesIO(answer.body), answer.body, True
        response.url, response.request, response.connection = asked.url, asked, _adapter
        return response

    return [(requests.adapters.HTTPAdapter, "send", send)]


def _for_httpx(httpx: Any) -> list[_Replacement]:
    def answer(asked: Any, body: bytes) -> Any:
        timeout = asked.extensions.get("timeout", {})
        got = _send(asked.method, str(asked.url), asked.headers, body or None, (timeout.get("connect"), timeout.get("read")))
        return httpx.Response(got.status, headers=got.headers, content=got.body)

    async def answer_later(_transport: Any, asked: Any) -> Any:
        return answer(asked, await asked.aread())

    async def nothing_later(*_: Any, **__: Any) -> None:
        return None

    async def itself_later(transport: Any) -> Any:
        return transport

    def nothing(*_: Any, **__: Any) -> None:
        return None

    # It would log every address, and with it what callers ask for.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    one, other = httpx.HTTPTransport, httpx.AsyncHTTPTransport
    return [
        # Their own begin with TLS, which is the host's.
        *((owner, "__init__", nothing) for owner in (one, other)),
        *((one, name, nothing) for name in ("close", "__exit__")),
        *((other, name, nothing_later) for name in ("aclose", "__aexit__")),
        (one, "__enter__", lambda transport: transport),
        (other, "__aenter__", itself_later),
        (one, "handle_request", lambda _transport, asked: answer(asked, asked.read())),
        (other, "handle_async_request", answer_later),
    ]


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
