import json
import os

import httpx

from app import ANON_KEY, SERVICE_ROLE_KEY, Refused, call, get, post
from chatbot.articles import (
    QUESTION,
    acts_as_nobody_else,
    changes_no_agent,
    logs_tell_nothing,
    reaches_nothing,
    save_articles,
)
from chatbot.direct import chat, messages_of, new_agent, new_tool, start_tool_server
from walk import ANYBODY, BOTH, MODELS, alice, bob, finish, is_none, is_own, refused, step

port = int(os.environ["BACK_END_PORT"])
address = f"http://127.0.0.1:{port}"
start_tool_server(port)
new_tool(address)

with step("each user saves articles of their own"):
    save_articles()

# What a model could be talked into.
STATEMENTS = [
    "select title, body from articles",
    f"select title, body from articles where owner_id = '{bob.id}' or owner_id = '{alice.id}'",
    "select * from search_articles('anchors')",
    "select count(*), string_agg(body, ' ') from public.articles",
]
CLAIMS = json.dumps({"sub": bob.id})
HOSTILE = [
    f"with x as materialized (select set_config('request.jwt.claims', '{CLAIMS}', true)) select a.* from x, articles a",
    "with x as materialized (select set_config('role', 'service_role', true)) select a.* from x, articles a",
    "select query_to_xml('select * from articles', true, true, '')",
    "select * from auth.users",
    "select * from ai.agent_runs where user_id <> auth.uid()",
    "reset role",
    "select 1; select body from articles",
]

for model in MODELS:
    agent, runs = new_agent(model), {}

    with step(f"the agent finds the user's own articles, with {model}"):
        for own, other in BOTH:
            events = list(chat(agent, QUESTION, own))
            called = [event["tool_name"] for event in events if event["event"] == "tool_call"]
            assert called == ["search_user_articles"], called
            is_own(events[-1]["content"], own, other)
            is_none(events, other)
            runs[own] = events[0]["run_id"], events[0]["session_id"]

    with step(f"SQL of a model reads the user's own rows, whatever it says, with {model}"):
        for own, other in BOTH:
            for query in STATEMENTS:
                events = list(chat(agent, f"/database_query {json.dumps({'query': query})}", own))
                is_own(events[-1]["content"], own, other)
                is_none(events, other)
            for query in HOSTILE:
                events = list(chat(agent, f"/database_query {json.dumps({'query': query})}", own))
                assert events[-1]["status"] == "completed", events
                told = [event for event in events if event["event"] in ("tool_result", "complete")]
                is_none(told, other)
                assert other.email not in json.dumps(told), query

    with step(f"each user goes on with their own conversation, with {model}"):
        for own, other in BOTH:
            session = runs[own][1]
            assert list(chat(agent, QUESTION, own, session))[0]["session_id"] == session
            messages = messages_of(session, own)
            assert [message["role"] for message in messages] == ["user", "assistant"] * 2, messages
            is_own(messages, own, other)
            ids = [one["session_id"] for one in get(f"/api/agents/{agent}/sessions", own.token)["sessions"]]
            assert session in ids and runs[other][1] not in ids, ids

    with step(f"nobody reaches the other's conversation, with {model}"):
        for own, other in BOTH:
            reaches_nothing(own, agent, *runs[other])

    with step(f"nobody acts as the other, with {model}"):
        acts_as_nobody_else(agent)

    with step(f"agents and tools are the operator's, with {model}"):
        changes_no_agent(agent)

with step("the tool's server believes the platform's signature alone"):
    for token in [*ANYBODY, ANON_KEY, SERVICE_ROLE_KEY, alice.token]:
        answer = httpx.post(address, headers={"Authorization": f"Bearer {token}"}, json={"query": "anchors"})
        assert answer.status_code == 401, answer.text
    assert httpx.post(address, json={"query": "anchors"}).status_code == 401
    for own, other in BOTH:
        path, arguments = "/api/tools/search_user_articles/call", {"query": "anchors"}
        is_own(post(path, own.token, {"arguments": arguments}), own, other)
        more = {**arguments, "session_token": other.token, "user_id": other.id, "owner_id": other.id}
        try:
            is_none(post(path, own.token, {"arguments": more}), other)
        except Refused as error:
            is_none(error.body, other)

with step("a user deletes a conversation, and the other's stays"):
    agent = new_agent(MODELS[0])
    sessions = {own: list(chat(agent, QUESTION, own))[0]["session_id"] for own, _ in BOTH}
    call("DELETE", f"/api/sessions/{sessions[alice]}", alice.token)
    refused([404], get, f"/api/sessions/{sessions[alice]}/messages", alice.token)
    is_own(messages_of(sessions[bob], bob), bob, alice)

with step("logs tell nothing of what was found"):
    logs_tell_nothing()

finish()
