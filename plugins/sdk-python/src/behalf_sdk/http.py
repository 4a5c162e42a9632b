"""Requests to the hosts under `[grants.http]`, with the names of the library requests.

    rates = http.get("https://api.example.com/rates", params={"base": "EUR"}).json()

A tool that sends requests says so: `@tool(open_world=True)`. One that says `read_only=True` may send GET and HEAD alone.
Redirects are followed; each hop has to be granted too.
"""

from __future__ import annotations

import base64
import json as _json
from collections.abc import Iterator, Mapping
from typing import Any, Union
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from . import _host
from ._host import HttpAnswer, HttpRequest
from ._values import json_text
from .errors import HttpError, ToolError

__all__ = ["Headers", "HttpError", "Response", "delete", "get", "head", "patch", "post", "put", "request"]

#: Redirects of one request that are followed.
_MAX_REDIRECTS = 5

_Params = Union[Mapping[str, Any], "list[tuple[str, Any]]", None]
_Data = Union[str, bytes, Mapping[str, Any], None]


class Headers(Mapping[str, str]):
    """Headers by name, whatever the case; those of one name are joined by a comma."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            key = name.lower()
            self._values[key] = f"{self._values[key]}, {value}" if key in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Response:
    """An answer, whatever its status. `raise_for_status` makes an error of those from 400 on."""

    def __init__(self, url: str, answer: HttpAnswer) -> None:
        #: The address that answered: after redirects, the last one.
        self.url = url
        self.status_code = answer.status
        self.headers = Headers(answer.headers)
        #: The body.
        self.content = answer.body

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def text(self) -> str:
        """The body as text: in the character set that the answer names, else UTF-8."""
        charset = "utf-8"
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                charset = value.strip().strip('"')
        try:
            return self.content.decode(charset, "replace")
        except (LookupError, ImportError):
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. A `ToolError` where it is none."""
        try:
            return _json.loads(self.content)
        except ValueError:
            # Not its text, which is not the caller's.
            raise ToolError(f"{_host_of(self.url)} answered with status {self.status_code} and no JSON.") from None

    def raise_for_status(self) -> Response:
        """Raises an `HttpError` (`status`) where the status is 400 or more; else returns the answer itself."""
        if not self.ok:
            raise HttpError(
                "status",
                f"{_host_of(self.url)} answered with status {self.status_code}.",
                status=self.status_code,
                retryable=self.status_code in (429, 502, 503, 504),
            )
        return self

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"


def get(url: str, **options: Any) -> Response:
    """`request("GET", …)`"""
    return request("GET", url, **options)


def head(url: str, **options: Any) -> Response:
    """`request("HEAD", …)`"""
    return request("HEAD", url, **options)


def post(url: str, **options: Any) -> Response:
    """`request("POST", …)`"""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> Response:
    """`request("PUT", …)`"""
    return request("PUT", url, **options)


def patch(url: str, **options: Any) -> Response:
    """`request("PATCH", …)`"""
    return request("PATCH", url, **options)


def delete(url: str, **options: Any) -> Response:
    """`request("DELETE", …)`"""
    return request("DELETE", url, **options)


def request(
    method: str,
    url: str,
    *,
    params: _Params = None,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    data: _Data = None,
    auth: tuple[str, str] | None = None,
    timeout: float | None = None,
    allow_redirects: bool = True,
) -> Response:
    """Sends one request and reads its whole answer.

    `params` are added to the address. The body is `json`, or `data`: text, bytes, or a dict as a form has it. `timeout` is in
    seconds, for the connection and again for the beginning of the answer. An `HttpError` means that there is no answer.
    """
    given = {name.lower(): value for name, value in (headers or {}).items()}
    body, kind = _body(json, data)
    if kind is not None:
        given.setdefault("content-type", kind)
    if auth is not None:
        given["authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    return follow(method.upper(), _with_params(url, params), given, body, timeout, _MAX_REDIRECTS if allow_redirects else 0)


def follow(method: str, url: str, headers: dict[str, str], body: bytes | None, timeout: float | None, most: int) -> Response:
    """Sends a request, and at most so many more where answers redirect."""
    for left in range(most, -1, -1):
        answer = send(method, url, headers, body, timeout)
        location = next((value for name, value in answer.headers if name.lower() == "location"), None)
        if answer.status not in (301, 302, 303, 307, 308) or location is None or most == 0:
            return Response(url, answer)
        if left == 0:
            break
        after = urljoin(url, location)
        if urlsplit(after)[:2] != urlsplit(url)[:2]:
            # Another server is told nothing that was meant for the first one.
            headers = {name: value for name, value in headers.items() if name not in ("authorization", "cookie")}
        # As browsers do: only 307 and 308 mean the same request again.
        if answer.status not in (307, 308) and method not in ("GET", "HEAD"):
            method, body = "GET", None
            headers = {name: value for name, value in headers.items() if name != "content-type"}
        url = after
    raise HttpError("redirects", f"{_host_of(url)} redirects more than {most} times.")


def send(method: str, url: str, headers: dict[str, str], body: bytes | None, timeout: float | None) -> HttpAnswer:
    """Sends one request, whatever comes of it. The names of headers are in small letters."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise HttpError("invalid", f"An address begins with https:// and a host, and has no user; this one does not: {url[:200]}")
    hints = _host.hints()
    if hints is not None and hints.get("openWorldHint") is False:
        raise HttpError("denied", "This tool says that it stays inside, so it can send no request: write @tool(open_world=True).")
    if hints is not None and hints.get("readOnlyHint") is True and method not in ("GET", "HEAD"):
        raise HttpError("denied", f"This tool says that it only reads, so it may send GET and HEAD alone, and not {method}.")
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    sent = dict(headers)
    sent.setdefault("accept", "*/*")
    if body is not None:
        sent["content-length"] = str(len(body))
    pairs = [(name, value.encode("utf-8", "replace")) for name, value in sent.items()]
    return _host.current().send(HttpRequest(method, parts.scheme, parts.netloc, path, pairs, body, timeout))


def _body(json: Any, data: _Data) -> tuple[bytes | None, str | None]:
    if json is not None:
        return json_text(json).encode("utf-8", "replace"), "application/json"
    if data is None or isinstance(data, bytes):
        return data, None
    if isinstance(data, str):
        return data.encode("utf-8", "replace"), "text/plain;charset=UTF-8"
    return urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"


def _with_params(url: str, params: _Params) -> str:
    if not params:
        return url
    pairs = params.items() if isinstance(params, Mapping) else params
    query = urlencode([(name, value) for name, value in pairs if value is not None], doseq=True)
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query)))))


def _host_of(url: str) -> str:
    return urlsplit(url).netloc
