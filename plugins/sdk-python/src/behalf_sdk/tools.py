"""A typed function as a tool."""

from __future__ import annotations

import base64
import copy
import dataclasses
import inspect
import json
import re
import typing
from typing import Any, Callable, Generic, ParamSpec, TypeVar, overload

from mashumaro.codecs import BasicDecoder, BasicEncoder
from mashumaro.config import BaseConfig
from mashumaro.dialect import Dialect
from mashumaro.exceptions import ExtraKeysError, InvalidFieldValue, MissingField, UnserializableDataError

from . import _values
from ._bounds import checker
from ._offer import offer
from .content import Content, blocks_of
from .errors import ToolError
from .schema import json_schema

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class _Results(Dialect):
    """Bytes as the schema says: base64, and without the line breaks that the library puts there."""

    serialization_strategy = {bytes: {"serialize": lambda value: base64.b64encode(value).decode()}}


class Tool(Generic[P, R]):
    """One callable that a plugin exports. It can still be called as the function it was made from."""

    def __init__(self, function: Callable[P, R], name: str, definition: dict[str, Any]) -> None:
        self.function = function
        self.name = name
        hints = typing.get_type_hints(function, include_extras=True)
        returns = hints.pop("return", Any)
        arguments = _arguments_type(function, hints)
        self._returns_content = isinstance(returns, type) and issubclass(returns, Content)
        if self._returns_content:
            returns = Any
        #: The tool's definition in the shape of an MCP tool.
        self.definition: dict[str, Any] = {
            **definition,
            "inputSchema": json_schema(arguments),
            **({} if returns is Any else {"outputSchema": json_schema(returns)}),
            "annotations": definition["annotations"],
        }
        self._decoder: BasicDecoder[Any] = BasicDecoder(arguments)
        self._encoder = BasicEncoder(returns, default_dialect=_Results)
        self._parameters = tuple(hints)
        self._bounds = {name: check for name, hint in hints.items() if (check := checker(hint)) is not None}
        if inspect.iscoroutinefunction(function):
            # Here, and not in a call, where it would be too late to import it.
            from . import _async

            self._run_async: Callable[[Any], Any] | None = _async.run
        else:
            self._run_async = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def run(self, arguments: str) -> str:
        """Calls the function with arguments and result as JSON text."""
        if _nests_too_deep(arguments):
            raise ToolError.invalid_arguments(f"The arguments of {self.name} nest more than {_MAX_DEPTH} levels.")
        try:
            read = self._decoder.decode(json.loads(arguments))
        except (InvalidFieldValue, MissingField, ExtraKeysError, ValueError, TypeError) as error:
            raise ToolError.invalid_arguments(f"The arguments of {self.name} do not fit: {_misfit(error)}.") from error
        given = {name: getattr(read, name) for name in self._parameters}
        for name, check in self._bounds.items():
            if wrong := check(given[name], f"/{name}"):
                raise ToolError.invalid_arguments(f"The arguments of {self.name} do not fit: {wrong}.")
        result = self.function(**given)  # type: ignore[call-arg]
        if self._run_async is not None:
            result = self._run_async(result)
        return _values.json_text(self._encoded(result))

    def _encoded(self, result: Any) -> Any:
        if isinstance(result, Content):
            if "outputSchema" in self.definition:
                raise ToolError(f"The tool {self.name} returned a Content, and its type says that it returns data. Write `-> Content`.")
            if not blocks_of(result):
                raise ToolError(f"The tool {self.name} returned an empty Content. Add a text, or return data.")
            return {"content": blocks_of(result)}
        if self._returns_content:
            raise ToolError(f"The tool {self.name} returned a {type(result).__name__}, and its type says that it returns a Content.")
        return self._encoder.encode(result)


#: Levels that arguments may nest. They are read with the stack, whose end nobody can catch.
_MAX_DEPTH = 100
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[{\]}]")


def _nests_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > _MAX_DEPTH:
            return True
    return False


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    read_only: bool = False,
    destructive: bool | None = None,
    idempotent: bool = False,
    open_world: bool = False,
    resource: str | None = None,
    mime_type: str | None = None,
    prompt: bool = False,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    read_only: bool = False,
    destructive: bool | None = None,
    idempotent: bool = False,
    open_world: bool = False,
    resource: str | None = None,
    mime_type: str | None = None,
    prompt: bool = False,
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Makes a tool of a typed function: `@tool`, or `@tool(read_only=True)`. The function may be `async def`.

    The name is the function's, the description its docstring, the schemas come from its type hints. `read_only`,
    `destructive` (unless said otherwise, a tool that writes may destroy), `idempotent` and `open_world` are hints to
    the model and its user; what the tool may do is decided by its grants.

    A tool that reads alone can also be an MCP resource, with `resource`, its address (`notes://{id}`, where `id` is a parameter), and
    `mime_type`; or an MCP prompt, with `prompt=True`.
    """

    def decorate(function: Callable[P, R]) -> Tool[P, R]:
        called = name or function.__name__
        if not _NAME.fullmatch(called):
            raise ValueError(f'"{called}" is not a tool name: a to z, 0 to 9 and _, at most 64 of them')
        described = description or inspect.cleandoc(function.__doc__ or "")
        if not described:
            raise ValueError(f"the tool {called} has no docstring: the model reads it to decide when to call the tool")
        definition = {
            "name": called,
            "title": title or called.replace("_", " ").capitalize(),
            "description": described,
            "annotations": {
                "readOnlyHint": read_only,
                "destructiveHint": not read_only if destructive is None else destructive,
                "idempotentHint": idempotent,
                "openWorldHint": open_world,
            },
            **offer(
                called,
                inspect.signature(function).parameters,
                read_only=read_only,
                resource=resource,
                mime_type=mime_type,
                prompt=prompt,
            ),
        }
        try:
            return Tool(function, called, definition)
        except (UnserializableDataError, NotImplementedError) as error:
            raise TypeError(f"{called}: a type of its parameters or its result cannot be JSON: {error}") from error

    return decorate if function is None else decorate(function)


class _Strict(BaseConfig):
    forbid_extra_keys = True


def _arguments_type(function: Callable[..., Any], hints: dict[str, Any]) -> type:
    """A dataclass with a field for each parameter."""
    fields: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__}: a tool's parameters have names; {parameter} has not")
        if parameter.name not in hints:
            raise TypeError(f"{function.__name__}: the parameter {parameter.name} has no type")
        fields.append((parameter.name, hints[parameter.name], _default(parameter.default)))
    return dataclasses.make_dataclass(function.__name__, fields, kw_only=True, namespace={"Config": _Strict})


def _default(value: Any) -> Any:
    if value is inspect.Parameter.empty:
        return dataclasses.field()
    if isinstance(value, (list, dict, set)):
        return dataclasses.field(default_factory=lambda: copy.copy(value))
    return dataclasses.field(default=value)


def _misfit(error: Exception) -> str:
    """Where it does not fit. The arguments are the model's own, so they may be named."""
    if isinstance(error, InvalidFieldValue):
        return f'"{error.field_name}" is not a valid {error.field_type_name}'
    if isinstance(error, MissingField):
        return f'"{error.field_name}" is missing'
    if isinstance(error, ExtraKeysError):
        return "there is no " + ", ".join(f'"{key}"' for key in sorted(error.extra_keys))
    return "they are not a JSON object of the tool's schema"
