"""What a tool in Python sees of the world. The tables in ../../README.md say what is expected of it."""

import asyncio
import importlib
import logging
import random
import secrets
import socket
import time
import urllib.request
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx
import requests
from behalf_sdk import (
    Content,
    DatabaseError,
    HttpError,
    Json,
    StorageError,
    ToolError,
    Vector,
    caller,
    export_tools,
    http,
    progress,
    query,
    query_as,
    row,
    scope,
    storage,
    tool,
)

BUILT = random.random()


@tool(read_only=True)
def values() -> dict[str, Any]:
    """Values that no two calls may share."""
    return {
        "random": random.random(),
        "uuid": uuid4(),
        "bytes": secrets.token_hex(16),
        "now_ms": int(datetime.now(timezone.utc).timestamp() * 1000),
        "time_ms": int(time.time() * 1000),
        "built": BUILT,
    }


@row
class Types:
    small: int
    large: int
    fraction: float
    amount: Decimal
    flag: bool
    label: str
    id: UUID
    day: date
    moment: datetime
    data: dict[str, Any]
    labels: list[str | None]
    numbers: list[int]
    raw: bytes
    embedding: list[float]
    nothing: str | None


TYPES = """
    select 7::int2 as small, 9007199254740993::int8 as large, 0.1::float8 as fraction,
           12345678901234567890.123456789::numeric as amount, true as flag, 'é "x" \\ y' as label,
           '00000000-0000-4000-8000-000000000001'::uuid as id, '2026-02-28'::date as day,
           '2026-02-28 10:00:00.123456+00'::timestamptz as moment, '{"a": [1, null]}'::jsonb as data,
           array['a', null, 'b "c"'] as labels, array[1, 2]::int8[] as numbers, '\\x00ff'::bytea as raw,
           '[1,2.5]'::vector as embedding, null::text as nothing
"""

SAME = """
    select $1 = 7::int2 and $2 = 9007199254740993::int8 and $3 = 0.1::float8
       and $4 = 12345678901234567890.123456789::numeric and $5 = true and $6 = 'é "x" \\ y'
       and $7 = '00000000-0000-4000-8000-000000000001'::uuid and $8 = '2026-02-28'::date
       and $9 = '2026-02-28 10:00:00.123456+00'::timestamptz and $10 = '{"a": [1, null]}'::jsonb
       and $11 is not distinct from array['a', null, 'b "c"'] and $12 = array[1, 2]::int8[] and $13 = '\\x00ff'::bytea
       and $14::vector = '[1,2.5]'::vector and $15::text is null as same
"""


@tool(read_only=True)
def types() -> dict[str, Any]:
    """A row with a column of each kind."""
    untyped = query(TYPES)[0]
    [typed] = query_as(Types, TYPES)
    parameters = [getattr(typed, name) for name in Types.__dataclass_fields__]
    parameters[9] = Json(parameters[9])
    parameters[13] = Vector(parameters[13])
    return {
        "row": untyped,
        "kinds": {name: type(value).__name__ for name, value in untyped.items()},
        "typed": typed.__dict__ == untyped,
        "returned": query(SAME, *parameters)[0]["same"],
    }


@tool(read_only=True)
def fails(how: Literal["tool", "database", "uncaught", "recursion", "result", "half", "exit", "caught", "scope"]) -> Any:
    """Fails in the way that is asked for."""
    if how == "tool":
        raise ToolError("No entry.", code="denied", retryable=True)
    if how == "database":
        return query("select secret from public.nothing")
    if how == "uncaught":
        raise KeyError("swordfish")
    if how == "recursion":
        return fails("recursion")
    if how == "half":
        logging.getLogger(__name__).warning("half a character: \ud800")
        raise ToolError("half a character: \ud800")
    if how == "exit":
        raise SystemExit(3)
    if how == "result":
        return float("nan")
    if how == "scope":
        try:
            with scope():
                return query("select 1 / 0")
        except DatabaseError as error:
            return {"code": error.code, "after": query("select 2 as two")[0]["two"]}
    try:
        return query("select 1 / 0")
    except DatabaseError as error:
        logging.getLogger(__name__).warning("caught %s", error.code)
        return {"code": error.code}


@dataclass
class Seen:
    subject: UUID | None
    role: str
    titles: list[str]


@tool(read_only=True)
def identity() -> Seen:
    """Who the call is for, and what they see."""
    who = caller.identity()
    titles = [found["title"] for found in query("select title from public.notes order by title")]
    return Seen(who.subject, who.role, titles)


@tool()
def objects(folder: str) -> dict[str, Any]:
    """Writes an object, looks at it in every way, and removes it."""
    name = f"{folder}/python.txt"
    storage.write("files", name, "é\n", content_type="text/csv")
    page = storage.list_objects("files", f"{folder}/", limit=1)
    content = storage.read("files", name)
    answer: dict[str, Any] = {
        "listed": [[one.name == name, one.size] for one in page.objects],
        "next": page.next,
        "bytes": len(content.data),
        "contentType": content.content_type,
        "text": storage.read_text("files", name),
        "signed": "python.txt" in storage.signed_url("files", name, 60),
    }
    storage.remove("files", name)
    try:
        storage.read("files", name)
    except StorageError as error:
        answer["code"] = error.code
    return answer


@tool(open_world=True)
def web(base: str) -> dict[str, Any]:
    """Sends requests in every way that Python knows, and looks at what comes of them."""
    posted = http.post(f"{base}/echo", json={"a": "é"}, headers={"X-Made-By": "python"})
    answer: dict[str, Any] = {
        "posted": [posted.status_code, posted.text],
        "missing": http.get(f"{base}/missing").status_code,
        "urllib": urllib.request.urlopen(f"{base}/echo").status,
        "requests": requests.get(f"{base}/echo", timeout=5).status_code,
        "httpx": httpx.get(f"{base}/echo").status_code,
    }
    try:
        http.get("https://denied.example.com/")
    except HttpError as error:
        answer["denied"] = [error.code, error.message]
    return answer


@tool(open_world=True)
def identified(url: str) -> Any:
    """What a server that is asked says."""
    return http.get(url).json()


@tool
async def later(number: int) -> int:
    """Waits for this and that."""
    await asyncio.sleep(0.01)
    return sum(await asyncio.gather(asyncio.sleep(0.01, number), asyncio.sleep(0, 1)))


async def _never() -> None:
    await asyncio.Event().wait()


@tool
def mistakes(which: Literal["bare import", "run", "thread", "stuck", "socket", "array", "import"]) -> Any:
    """Does what works elsewhere."""
    if which == "bare import":
        import statistics

        return statistics.mean([1, 3])
    if which == "run":
        return asyncio.run(asyncio.sleep(0.01, "ran"))
    try:
        match which:
            case "thread":
                asyncio.run(asyncio.to_thread(print))
            case "stuck":
                asyncio.run(_never())
            case "socket":
                socket.create_connection(("example.com", 80))
            case "array":
                query("select title from public.notes where title = $1", ["a"])
            case _:
                importlib.import_module("tty")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


@tool(read_only=True, resource="shown://{name}", mime_type="text/plain")
def shown(name: str) -> Content:
    """A result that is more than data."""
    progress.partial({"name": name})
    return (
        Content()
        .text(f"It is {name}.")
        .image("image/png", bytes([0, 255]))
        .file("shown://file", "text/markdown", "# é")
    )


@tool(read_only=True, prompt=True)
def asked(name: str) -> str:
    """A prompt."""
    return f"Tell me of {name}."


Tool = export_tools(values, types, fails, identity, objects, web, identified, later, mistakes, shown, asked)
