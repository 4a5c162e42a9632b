"""Requests through `wasi:http`. Importable in a component whose plugin.toml has [grants.http] only."""

from __future__ import annotations

from typing import Any

from componentize_py_types import Err
from wit_world.imports import outgoing_handler, streams, types

from ._host import HttpAnswer, HttpRequest
from .errors import HttpError, http_error

_METHODS = {
    name: getattr(types, f"Method_{name.capitalize()}") for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
}
#: Bytes that a stream takes at once, and that are asked of one.
_WRITTEN, _READ = 4096, 65_536


def send(request: HttpRequest) -> HttpAnswer:
    """Sends a request, and reads the whole answer."""
    try:
        pending = _begin(request)
        while (answered := pending.get()) is None:
            with pending.subscribe() as ready:
                ready.block()
        # The outer result is for answers that were taken already.
        answer = answered.value
        if isinstance(answer, Err):
            raise answer
        with answer.value as response:
            return _read(response)
    except Err as error:
        reason = getattr(error.value, "value", None)
        raise http_error(type(error.value).__name__.removeprefix("ErrorCode_"), request.authority, reason) from None


def _begin(request: HttpRequest) -> Any:
    fields = types.Fields()
    for name, value in request.headers:
        try:
            fields.append(name, value)
        except Err:
            raise HttpError("invalid", f"The header {name[:100]} cannot be sent: its name, its value, or that it is there.") from None
    outgoing = types.OutgoingRequest(fields)
    try:
        outgoing.set_method(_METHODS[request.method]() if request.method in _METHODS else types.Method_Other(request.method))
        outgoing.set_scheme(types.Scheme_Https() if request.scheme == "https" else types.Scheme_Http())
        outgoing.set_authority(request.authority)
        outgoing.set_path_with_query(request.path)
    except Err:
        raise HttpError("invalid", "The method, the host or the path of the request has characters that none may have.") from None
    # A request whose body was asked for would be sent in chunks, which servers do not expect of a GET.
    body = None if request.body is None else outgoing.body()
    pending = outgoing_handler.handle(outgoing, _options(request.timeout))
    if body is not None and request.body is not None:
        _write(body, request.body)
    return pending


def _options(timeout: float | None) -> Any:
    if timeout is None:
        return None
    options = types.RequestOptions()
    nanoseconds = max(1, int(timeout * 1e9))
    options.set_connect_timeout(nanoseconds)
    options.set_first_byte_timeout(nanoseconds)
    return options


def _write(body: Any, content: bytes) -> None:
    try:
        with body.write() as stream:
            for start in range(0, len(content), _WRITTEN):
                stream.blocking_write_and_flush(content[start : start + _WRITTEN])
        types.OutgoingBody.finish(body, None)
    except Err:
        # The request was refused or cut off; the answer says why.
        return


def _read(response: Any) -> HttpAnswer:
    status = response.status()
    with response.headers() as fields:
        headers = [(name, value.decode("latin-1")) for name, value in fields.entries()]
    content = bytearray()
    with response.consume() as body, body.stream() as stream:
        while True:
            try:
                content += stream.blocking_read(_READ)
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return HttpAnswer(status, headers, bytes(content))
                raise Err(types.http_error_code(error.value.value)) from None
