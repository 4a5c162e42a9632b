"""What can go wrong, and what the model is told of it."""

from __future__ import annotations

#: Codes of a database error, by the code of the tool error that they become when nobody catches them.
_TOOL_CODES = {
    "refused": "denied",
    "forbidden": "denied",
    "denied": "denied",
    "not_granted": "denied",
    "invalid": "invalid_arguments",
}


class ToolError(Exception):
    """The tool's own failure. Its message is shown to the model; raising it undoes what the call did."""

    def __init__(self, message: str, *, code: str = "failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retryable = retryable

    @classmethod
    def invalid_arguments(cls, message: str) -> ToolError:
        """The arguments are wrong in a way the schema cannot say."""
        return cls(message, code="invalid_arguments")

    @classmethod
    def denied(cls, message: str) -> ToolError:
        """The caller may not do this."""
        return cls(message, code="denied")


class _HostError(Exception):
    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable

    def as_tool_error(self) -> ToolError:
        """What the model is told where the tool does not catch this error."""
        return ToolError(self.message, code=_TOOL_CODES.get(self.code, "failed"), retryable=self.retryable)


class DatabaseError(_HostError):
    """A statement failed.

    ``code`` is ``refused``, ``forbidden``, ``constraint``, ``invalid``, ``timeout``, ``aborted``, ``not_granted``,
    ``limit``, ``unavailable`` or one that does not exist yet; ``sqlstate`` is the server's, where it gave one;
    ``message`` is safe to show to a model.
    """

    def __init__(self, code: str, message: str, *, sqlstate: str | None = None, retryable: bool = False) -> None:
        super().__init__(code, message, retryable=retryable)
        self.sqlstate = sqlstate

    def as_tool_error(self) -> ToolError:
        """What the model is told. A wrong statement is the tool's fault; a wrong value (class 22) comes of the arguments."""
        if self.code == "invalid" and self.sqlstate is not None and not self.sqlstate.startswith("22"):
            return ToolError(self.message, retryable=self.retryable)
        return super().as_tool_error()


class KnowledgeError(_HostError):
    """A search failed: ``invalid``, ``not_granted``, ``timeout``, ``limit``, ``unavailable``."""


class MemoriesError(_HostError):
    """An operation on memories failed: ``invalid``, ``denied``, ``not_granted``, ``timeout``, ``limit``, ``unavailable``, or a
    code that does not exist yet."""


class KvError(_HostError):
    """An operation on the plugin's store failed: ``invalid``, ``denied``, ``not_granted``, ``limit``, ``aborted``, ``timeout``,
    ``unavailable``, or a code that does not exist yet."""


class StorageError(_HostError):
    """An operation on objects failed: ``not_found``, ``denied``, ``too_large``, ``exists``, ``invalid``, ``not_granted``,
    ``timeout``, ``limit``, ``unavailable``, or a code that does not exist yet."""


class HttpError(_HostError):
    """A request has no answer, or `raise_for_status` was asked about one that has a status of 400 or more.

    ``code`` is ``denied``, ``invalid``, ``timeout``, ``limit``, ``unreachable``, ``refused``, ``redirects``, ``status`` or one
    that does not exist yet; ``status`` is that of the answer, where there is one.
    """

    def __init__(self, code: str, message: str, *, status: int | None = None, retryable: bool = False) -> None:
        super().__init__(code, message, retryable=retryable)
        self.status = status

    def as_tool_error(self) -> ToolError:
        # The address is the tool's, unlike a wrong statement's parameters.
        code = "denied" if self.code == "denied" else "failed"
        return ToolError(self.message, code=code, retryable=self.retryable)


#: Why a request failed, by the beginning of WASI's name for it: the code, the sentence, and whether it may succeed later.
_HTTP_FAILURES = (
    (
        ("HttpRequestDenied",),
        "denied",
        "The request to {host} was denied: [grants.http] does not name this host and port, or the call has sent too many.",
        False,
    ),
    (("DestinationIpProhibited",), "denied", "The request to {host} was denied: it is in a private network.", False),
    (("HttpRequestUri", "HttpRequestMethod"), "invalid", "The request to {host} has no sound address or method.", False),
    (("HttpRequestBodySize",), "limit", "The request to {host} is larger than a tool may send.", False),
    (("HttpResponseBodySize", "HttpResponseHeader"), "limit", "The answer of {host} is larger than a tool may read.", False),
    (("ConnectionLimitReached",), "limit", "The call has too many connections at once.", False),
    (
        ("ConnectionTimeout", "ConnectionReadTimeout", "ConnectionWriteTimeout", "HttpResponseTimeout", "DnsTimeout"),
        "timeout",
        "{host} did not answer in time.",
        True,
    ),
)


def http_error(name: str, host: str, reason: object = None) -> HttpError:
    """The error for WASI's, by the name of its case. `reason` is what the host says beside it."""
    if name == "InternalError" and isinstance(reason, str):
        return HttpError("refused", f"The request to {host} failed: {reason}.")
    for names, code, sentence, retryable in _HTTP_FAILURES:
        if name.startswith(names):
            return HttpError(code, sentence.format(host=host), retryable=retryable)
    return HttpError("unreachable", f"{host} could not be reached ({name}).", retryable=True)
