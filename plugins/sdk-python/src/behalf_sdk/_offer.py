"""What a tool is besides a tool: an MCP resource or an MCP prompt."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ._media_type import media_type

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")
_BRACES = re.compile(r"\{([^{}]*)\}")
_VARIABLE = re.compile(r"[a-z_][a-z0-9_]*")


def offer(
    called: str, parameters: Collection[str], *, read_only: bool, resource: str | None, mime_type: str | None, prompt: bool
) -> dict[str, Any]:
    """The part of the definition that says it; empty for a tool that is only a tool."""
    if mime_type is not None and resource is None:
        raise ValueError(f"the tool {called} has a mime_type and no resource: a mime_type belongs to a resource")
    if resource is None and not prompt:
        return {}
    if resource is not None and prompt:
        raise ValueError(f"the tool {called} is a resource and a prompt: it can be one of them")
    if not read_only:
        kind = "prompt" if resource is None else "resource"
        raise ValueError(f"the tool {called} is a {kind} and may write: a {kind} needs read_only=True")
    if resource is None:
        return {"prompt": True}
    _check_uri(called, resource, parameters)
    return {"resource": {"uri": resource, **({} if mime_type is None else {"mimeType": media_type(mime_type)})}}


def _check_uri(called: str, uri: str, parameters: Collection[str]) -> None:
    """A variable in braces is a parameter: whoever reads the resource gives its value in the address."""
    said = f'the resource "{uri}" of the tool {called}'
    if not _SCHEME.match(uri):
        raise ValueError(f"{said} has no scheme, as in notes://{{id}}")
    if re.search(r"[{}]", _BRACES.sub("", uri)):
        raise ValueError(f"{said} has a brace without its other one")
    for variable in _BRACES.findall(uri):
        if not _VARIABLE.fullmatch(variable):
            raise ValueError(f'{said} has the variable "{variable}": a variable has a to z, 0 to 9 and _, and begins with no digit')
        if variable not in parameters:
            raise ValueError(f'{said} has the variable "{variable}", which is no parameter of the tool')
