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


class KnowledgeError(_HostError):
    """A search failed: ``invalid``, ``not_granted``, ``timeout``, ``limit``, ``unavailable``."""


class MemoriesError(_HostError):
    """An operation on memories failed: ``invalid``, ``denied``, ``not_granted``, ``timeout``, ``limit``, ``unavailable``, or a
    code that does not exist yet."""


class StorageError(_HostError):
    """An operation on objects failed: ``not_found``, ``denied``, ``too_large``, ``exists``, ``invalid``, ``not_granted``,
    ``timeout``, ``limit``, ``unavailable``, or a code that does not exist yet."""
