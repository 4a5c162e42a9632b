"""Modules that Python's own library imports when they are first needed, which in a component is too late."""

import _strptime  # noqa: F401  datetime.strptime
import traceback  # noqa: F401
import unicodedata  # noqa: F401

import componentize_py_types  # noqa: F401
import wit_world.exports.tool  # noqa: F401
