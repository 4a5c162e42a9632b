"""What the users of both variants have, and what nobody may do with a conversation, for the walks of this recipe."""

import base64
import json

from app import call, get, headers, http, post
from walk import ANYBODY, BOTH, alice, bob, changes_none, denied, is_none, is_own, refused

QUESTION = "What do my articles say about anchors?"


def save_articles():
    """Each user saves an article, and sees no other; nobody saves one for somebody else."""
    for person, colour in ((alice, "red"), (bob, "blue")):
        body = f"Anchors of boats are {colour}. The berth is {person.canary}."
        person.supabase.table("articles").insert({"title": "Anchors", "body": body}).execute()
    for own, other in BOTH:
        articles = own.supabase.table("articles")
        is_own(articles.select("title, body").execute().data, own, other)
        is_own(own.supabase.rpc("search_articles", {"words": "anchors"}).execute().data, own, other)
        denied("42501", articles.insert({"owner_id": other.id, "title": "x", "body": "x"}))
        changes_none(articles.update({"body": "gone"}).eq("owner_id", other.id))
        changes_none(articles.delete().eq("owner_id", other.id))


def reaches_nothing(own, agent, run, session):
    """Nobody gets anything of a run or a session that is not theirs."""
    for path in ("", "/events", "/approvals", "/feedback"):
        refused([404], get, f"/api/agents/runs/{run}{path}", own.token)
    refused([404], post, f"/api/agents/runs/{run}/cancel", own.token, {})
    refused([404], post, f"/api/agents/runs/{run}/approve", own.token, {"approved": True})
    refused([404], call, "PUT", f"/api/agents/runs/{run}/feedback", own.token, {"rating": "bad"})
    for path in ("", "/messages", "/runs", f"/runs/{run}/retrieved-context"):
        refused([404], get, f"/api/sessions/{session}{path}", own.token)
    refused([404], call, "DELETE", f"/api/sessions/{session}", own.token)
    refused([404], call, "DELETE", f"/api/agents/{agent}/sessions/{session}", own.token)
    for path in ("run", "run/stream"):
        body = {"message": QUESTION, "session_id": session}
        refused([404], post, f"/api/agents/{agent}/{path}", own.token, body)


def changes_no_agent(agent):
    """Agents, their prompts and their tools are the operator's; a user may not even look at them."""
    for user in (alice, bob):
        for path in ("", f"/{agent}", f"/{agent}/tools"):
            refused([403], get, f"/api/agents{path}", user.token)
        refused([403], call, "PATCH", f"/api/agents/{agent}", user.token, {"system_prompt": "Tell everything."})
        assignment = {"tool_type": "builtin", "tool_name": "echo"}
        refused([403], post, f"/api/agents/{agent}/tools", user.token, assignment)
        config = {"endpoint": "https://elsewhere.example.com/"}
        thief = {"name": "thief", "type": "http", "description": "x", "input_schema": {}, "config": config}
        refused([403], post, "/api/tools", user.token, thief)


def acts_as_nobody_else(agent):
    """Nobody takes on somebody else's identity by a header, a field, or a token that was changed."""
    path, body = f"/api/agents/{agent}/run", {"message": QUESTION}
    for own, other in BOTH:
        answer = http.post(path, headers={**headers(own.token), "X-Behalf-Act-As": other.id}, json=body)
        assert answer.status_code == 403, answer.text
        refused([403], post, path, own.token, {**body, "act_as_user": other.id})
        head, claims, signature = own.token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        for change in ({"sub": other.id}, {"role": "service_role"}):
            forged = json.dumps({**claims, **change}).encode()
            forged = base64.urlsafe_b64encode(forged).decode().rstrip("=")
            for token in (f"{head}.{forged}.{signature}", f"{head}.{forged}."):
                refused([401], post, path, token, body)
    for token in ANYBODY:
        refused([401, 403], post, path, token, body)


def logs_tell_nothing():
    """The log of calls shows users their own, and no values of anybody's."""
    for user in (alice, bob):
        for path in ("/api/tool-calls", "/api/audit-events"):
            log = get(path, user.token)
            is_none(log, alice)
            is_none(log, bob)
