"""Imports that come late. A component has no files to import from, so what a function imports has to be there already."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

#: The encodings of files and servers that a text may name at any time.
_ENCODINGS = ("ascii", "cp1250", "cp1252", "idna", "iso8859_15", "latin_1", "utf_16", "utf_16_le", "utf_16_be", "utf_8_sig")

#: Packages that every component has, and that import all that they need of their own accord.
_KNOWN = frozenset(("behalf_sdk", "mashumaro", "typing_extensions", "wit_world", "componentize_py_types"))
#: A source without this imports nothing in a function, and reading it costs time and memory.
_INDENTED_IMPORT = re.compile(rb"^[ \t]+(import|from)[ \t]", re.MULTILINE)


def preload() -> None:
    """Imports what functions of the plugin and of its packages import, and what these import in turn."""
    for encoding in _ENCODINGS:
        importlib.import_module(f"encodings.{encoding}")
    seen: set[str] = set()
    while new := [module for name, module in list(sys.modules.items()) if name not in seen]:
        seen.update(sys.modules)
        for module in new:
            for wanted in _wanted(module):
                _try(wanted)


def refuse_more() -> None:
    """From here on nothing is looked for in files, and an import of what is not there says when it should have been made."""
    sys.meta_path[:] = [*(finder for finder in sys.meta_path if finder is not PathFinder), _TooLate()]


class _TooLate:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise ModuleNotFoundError(
                f"{name} is imported during a call, and a component has no files to import it from; import it at the top of a module",
                name=name,
            )


def _try(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:  # An import that fails now, such as of an optional package, would have failed then.
        return


def _wanted(module: ModuleType) -> list[str]:
    """The modules that functions of this one import. Python's own are not asked: they would bring each other in, all of them."""
    file = getattr(module, "__file__", None)
    package = module.__name__.partition(".")[0]
    if not file or not file.endswith(".py") or package in _KNOWN or package in sys.stdlib_module_names:
        return []
    try:
        with open(file, "rb") as opened:
            source = opened.read()
        if _INDENTED_IMPORT.search(source) is None:
            return []
        tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError):
        return []
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))
    return [name for function in functions for node in ast.walk(function) for name in _names(node, module.__package__)]


def _names(node: ast.AST, package: str | None) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        try:
            base = importlib.util.resolve_name("." * node.level + base, package or "")
        except ImportError:
            return []
    # A name may be a module as well; if it is not, its import fails and is left out.
    return [base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != "*" and _is_package(base))]


def _is_package(name: str) -> bool:
    _try(name)
    return hasattr(sys.modules.get(name), "__path__")
