"""Finds the caller's notes.

No statement here names a user: row-level security leaves only the rows of the person the call is for.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from behalf_sdk import Maximum, MaxLength, Minimum, ToolError, export_tools, like_literal, progress, query_as, row, settings, tool

log = logging.getLogger(__name__)

MAX_LIMIT = 100


@row
class Note:
    id: UUID
    title: str
    created_at: datetime


@dataclass
class Found:
    notes: list[Note]
    truncated: Annotated[bool, "Whether there are more notes than these."]


# Some letters of the pattern may be wild cards; what the caller typed is not meant as one. The limit is one more than
# what is returned, which tells whether there are more.
SEARCH = """
    select id, title, created_at
    from public.notes
    where $1::text is null or title ilike $1 or body ilike $1
    order by created_at desc, id
    limit $2
"""


@tool(title="Find notes", read_only=True, idempotent=True)
def my_tool(
    search: Annotated[str, "Text that the title or the body contains.", MaxLength(200)] | None = None,
    limit: Annotated[int, "How many notes at most; 10 if left out.", Minimum(1), Maximum(MAX_LIMIT)] | None = None,
) -> Found:
    """Finds the current user's notes whose title or body contain a text, newest first. Without a text: the newest."""
    if search is not None and not search.strip():
        raise ToolError.invalid_arguments("The text to search for is blank; leave it out to get the newest notes.")
    if limit is None:
        limit = default_limit()

    progress.report(0, 1, "Searching")
    pattern = None if search is None else f"%{like_literal(search)}%"
    notes = query_as(Note, SEARCH, pattern, limit + 1)
    progress.report(1, 1)
    log.info("found %d notes", min(len(notes), limit))
    return Found(notes=notes[:limit], truncated=len(notes) > limit)


def default_limit() -> int:
    """What the operator set as `default_limit`."""
    limit = settings.get("default_limit", 10)
    if not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise ToolError(f"The setting default_limit must be a whole number from 1 to {MAX_LIMIT}; ask the operator.")
    return limit


Tool = export_tools(my_tool)
