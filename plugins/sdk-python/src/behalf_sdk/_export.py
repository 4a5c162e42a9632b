"""Tools as the exports of a component."""

from __future__ import annotations

import gc
import json
import logging
import sys
import traceback
from typing import Any

from . import _host, _logging, _outside
from ._text import well_formed
from ._values import json_default
from .errors import ToolError, _HostError
from .tools import Tool

#: How deep Python functions may nest. The sandbox's stack ends at about 310 where they call each other through C, and
#: then the call ends without a word; an exception says what happened.
_DEEPEST = 250

#: Lines of each end of a long traceback.
_SHOWN = 12

_log = logging.getLogger("behalf")


def run(tools: dict[str, Tool[Any, Any]], name: str, arguments: str) -> str:
    """One call. Whatever goes wrong leaves as a `ToolError`."""
    tool = tools.get(name)
    if tool is None:
        raise ToolError.invalid_arguments(f'This plugin has no tool "{name}".')
    _host.say_hints(tool.definition["annotations"])
    try:
        return tool.run(arguments)
    except ToolError:
        raise
    except _HostError as error:
        raise error.as_tool_error() from error
    except RecursionError as error:
        _log.error("%s recursed too deeply\n%s", name, _ends(error))
        raise ToolError(f"The tool {name} failed: RecursionError. Its log says where.") from error
    except BaseException as error:
        # The text of an exception that nobody foresaw may quote a row, so the model gets its class alone; the log,
        # which is the operator's, gets all of it.
        _log.error("%s failed\n%s", name, "".join(traceback.format_exception(error)).rstrip())
        raise ToolError(f"The tool {name} failed: {type(error).__name__}. Its log says where.") from error
    finally:
        _host.say_hints(None)


def _ends(error: BaseException) -> str:
    """Both ends of a traceback: what is between them repeats itself a thousand times."""
    lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
    if len(lines) <= 2 * _SHOWN:
        return "\n".join(lines)
    return "\n".join([*lines[:_SHOWN], f"  … {len(lines) - 2 * _SHOWN} more lines …", *lines[-_SHOWN:]])


def definitions(tools: dict[str, Tool[Any, Any]]) -> str:
    """The definitions of `tools` as a JSON array."""
    return json.dumps([tool.definition for tool in tools.values()], default=json_default, ensure_ascii=False)


def export_tools(*tools: Tool[Any, Any]) -> type:
    """The class that a component exports. A plugin's module ends with `Tool = export_tools(my_tool, …)`."""
    for tool in tools:
        if not isinstance(tool, Tool):
            raise TypeError(f"{tool!r} is not a tool: put @tool before the function")
    by_name = {tool.name: tool for tool in tools}
    if not tools or len(by_name) < len(tools):
        raise ValueError("export_tools() takes one tool or more, each of another name")
    described = definitions(by_name)

    class Exports:
        """What the world `behalf:tool` asks of a plugin."""

        tools = by_name

        def definitions(self) -> str:
            return described

        def call(self, name: str, arguments: str) -> str:
            from componentize_py_types import Err
            from wit_world.exports.tool import Error

            from . import _late

            # Not before: the compiler imports modules of its own behind this one.
            _late.refuse_more()
            _host.install(_component_host)
            try:
                return well_formed(run(by_name, name, arguments))
            except ToolError as error:
                raise Err(Error(well_formed(error.code), well_formed(error.message), bool(error.retryable))) from None

    _component_host = _real_host()
    if _component_host is not None:
        from . import _late, _warm_up

        _logging.install()
        _late.preload()
        _outside.install()
        _warm_up.run()
        sys.setrecursionlimit(_DEEPEST)
        # What was imported is kept as it is: a collection during a call would touch, and so copy, all of it.
        gc.collect()
        gc.freeze()
    return Exports


def _real_host() -> _host.Host | None:
    """The component's imports, and with them what is imported late: a component has no files to import from later."""
    try:
        from . import _component
    except ImportError:
        return None
    from . import _preload  # noqa: F401

    return _component.ComponentHost()
