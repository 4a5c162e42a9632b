"""What a Behalf tool in Python is written with.

    from behalf_sdk import export_tools, query_one, tool

    @tool(read_only=True)
    def count_notes() -> int:
        '''How many notes the current user has.'''
        return query_one("select count(*) as n from public.notes")["n"]

    Tool = export_tools(count_notes)

Whatever a tool does to the database it does as the person the call is for: there is no other identity to be had.
"""

from . import caller, http, knowledge, kv, memory, progress, settings, storage
from ._export import export_tools
from ._rows import row
from ._values import Json, Vector
from .content import Content
from .database import (
    Rows,
    commit,
    describe,
    execute,
    like_literal,
    query,
    query_as,
    query_one,
    query_one_as,
    scope,
)
from .errors import DatabaseError, HttpError, KnowledgeError, KvError, MemoriesError, StorageError, ToolError
from .schema import (
    ExclusiveMaximum,
    ExclusiveMinimum,
    Maximum,
    MaxItems,
    MaxLength,
    Minimum,
    MinItems,
    MinLength,
    MultipleOf,
    Pattern,
    UniqueItems,
)
from .tools import Tool as Tool  # Not among `__all__`: a plugin's module has a `Tool` of its own.
from .tools import tool

__all__ = [
    "Content",
    "DatabaseError",
    "ExclusiveMaximum",
    "ExclusiveMinimum",
    "HttpError",
    "Json",
    "KnowledgeError",
    "KvError",
    "MaxItems",
    "MaxLength",
    "Maximum",
    "MemoriesError",
    "MinItems",
    "MinLength",
    "Minimum",
    "MultipleOf",
    "Pattern",
    "Rows",
    "StorageError",
    "ToolError",
    "UniqueItems",
    "Vector",
    "caller",
    "commit",
    "describe",
    "execute",
    "export_tools",
    "http",
    "knowledge",
    "kv",
    "like_literal",
    "memory",
    "progress",
    "query",
    "query_as",
    "query_one",
    "query_one_as",
    "row",
    "scope",
    "settings",
    "storage",
    "tool",
]
