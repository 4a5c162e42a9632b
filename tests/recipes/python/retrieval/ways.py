"""Every way by which the platform tells a user what documents say, for the walks of this recipe."""

import base64
import json

from app import ANON_KEY, call, get, headers, http, post
from walk import bob, denied, is_none, refused, rows_of

QUESTION = "Which colour has the anchor of the boat?"
# Tables of the platform, in which texts and names of documents stand.
TABLES = [
    "agents",
    "agent_runs",
    "agent_sessions",
    "chunk_words",
    "chunks",
    "context_handlers",
    "embeddings",
    "indexed_sources",
    "knowledge_bases",
    "message_citations",
    "run_events",
    "source_pages",
    "sources",
]


def document_of(person, colour):
    text = f"# The boat\n\nThe anchor of the boat is {colour}. Its berth is {person.canary}.\n"
    return (f"{person.name}.md", text.encode(), "text/markdown")


def every_way(user, knowledge_base):
    """What a user is told by each way to the chunks of a base."""
    told = []
    for method in ("hybrid", "vector_search", "full_text"):
        body = {"query": QUESTION, "top_k": 10, "retrieval_method": method}
        told.append(post(f"/api/knowledge-bases/{knowledge_base}/search", user.token, body))
    told.append(post("/api/tools/knowledge_search/call", user.token, {"arguments": {"query": QUESTION}}))
    sent = {**headers(user.token), "Accept": "application/json, text/event-stream"}
    params = {"name": "knowledge_search", "arguments": {"query": QUESTION}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    mcp = http.post("/mcp", headers=sent, json=body)
    assert mcp.status_code == 200, mcp.text
    return [*told, mcp.text]


def says_nothing(own, other, source, knowledge_base):
    """No table, and no request about a thing of the other's, says anything of it."""
    for table in TABLES:
        rows = rows_of(own, "ai", table)
        is_none(rows, other)
        assert source not in rows, f"{table}: {rows}"
    for column, operator, value in (("source_id", "eq", source), ("text", "like", f"%{other.canary}%")):
        chunks = own.supabase.schema("ai").table("chunks").select("id, text, sources(name)", count="exact")
        found = getattr(chunks, operator)(column, value).execute()
        assert (found.data, found.count) == ([], 0), found
    for path in ("", "/page-texts", "/download", "/events", "/derivatives/text/download"):
        refused([404], get, f"/api/sources/{source}{path}", own.token)
    base = f"/api/knowledge-bases/{knowledge_base}"
    assert post(f"{base}/search", own.token, {"query": QUESTION, "source_ids": [source]})["results"] == []
    assert post(f"{base}/items", own.token, {"source_ids": [source]})["items"] == []
    listed = get(f"{base}/sources", own.token)
    is_none(listed, other)
    assert source not in json.dumps(listed)


def changes_nothing(own, source, knowledge_base):
    """Nobody changes what the other has."""
    ai = own.supabase.schema("ai")
    places = [("sources", "id", source), ("chunks", "source_id", source), ("indexed_sources", "source_id", source)]
    for table, key, value in [*places, ("knowledge_bases", "id", knowledge_base)]:
        denied("42501", ai.table(table).delete().eq(key, value))
        denied("42501", ai.table(table).update({key: value}).eq(key, value))
    planted = {"source_id": source, "knowledge_base_id": knowledge_base, "text": "planted"}
    denied("42501", ai.table("chunks").insert(planted))
    refused([404], call, "PATCH", f"/api/sources/{source}", own.token, {"name": "mine"})
    refused([404], call, "DELETE", f"/api/sources/{source}", own.token)
    for path in ("reextract", "cancel", "download-url"):
        refused([404], post, f"/api/sources/{source}/{path}", own.token, {})


def nobody_is_told(knowledge_base, source):
    """Who has not signed in is told nothing at all."""
    search = f"/api/knowledge-bases/{knowledge_base}/search"
    refused([401, 403], post, search, ANON_KEY, {"query": QUESTION})
    refused([401, 403], get, f"/api/sources/{source}", ANON_KEY)
    refused([401], get, "/rest/v1/chunks?select=text", "not-a-token")
    head, body, signature = bob.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    forged = json.dumps({**claims, "role": "service_role"}).encode()
    forged = base64.urlsafe_b64encode(forged).decode().rstrip("=")
    for token in (f"{head}.{forged}.{signature}", f"{head}.{forged}."):
        refused([401], post, search, token, {"query": QUESTION})
