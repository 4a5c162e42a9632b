import json
import os

import httpx

from app import events_of, post
from chatbot.articles import QUESTION, changes_no_agent, logs_tell_nothing, reaches_nothing, save_articles
from chatbot.cookbook import session_token_of, start_back_end
from walk import ANYBODY, BOTH, MODELS, alice, bob, finish, is_builtin, is_none, is_own, refused, step

port = int(os.environ["BACK_END_PORT"])
back_end = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)


def ask(token, message):
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    return back_end.stream("POST", "/api/chat", headers=sent, json={"message": message})


server = start_back_end(port)

with step("each user saves articles of their own"):
    save_articles()

for model in MODELS:
    server.use(model)
    runs = {}

    with step(f"the back end answers nobody who has not signed in, with {model}"):
        for token in ["", *ANYBODY]:
            with ask(token, QUESTION) as answer:
                assert answer.status_code == 401, answer.read()

    with step(f"the agent finds the user's own articles, with {model}"):
        for own, other in BOTH:
            # builtin/extractive reads no instructions: it is told what to call.
            arguments = json.dumps({"query": "anchors", "session_token": session_token_of(own.id)})
            message = f"/search_user_articles {arguments}" if is_builtin(model) else QUESTION
            with ask(own.token, message) as answer:
                events = list(events_of(answer))
            names = [event["event"] for event in events]
            assert (names[0], names[-1]) == ("start", "complete"), names
            assert {"tool_call", "tool_result", "chunk"} <= set(names), names
            is_own(events[-1]["content"], own, other)
            is_none(events, other)
            # The token passes through the model, so it stands in the events. It must never be the other's.
            assert session_token_of(other.id) not in json.dumps(events)
            run, session = events[0]["run_id"], events[0]["session_id"]
            runs[own] = run, session, session.removeprefix("chat-")

    with step(f"no user reaches the runs of the back end, with {model}"):
        for user in (alice, bob):
            for run, session, agent in runs.values():
                reaches_nothing(user, agent, run, session)

    with step(f"no user reaches the agents, in whose prompts the tokens stand, with {model}"):
        for _, _, agent in runs.values():
            changes_no_agent(agent)

    with step(f"the tool answers nobody without a token that it gave out, with {model}"):
        for token in ("", alice.id, bob.token, "00000000-0000-4000-8000-000000000000"):
            arguments = {"query": "anchors", "session_token": token}
            assert back_end.post("/internal/tools/search-articles", json=arguments).status_code == 401
            path = "/api/tools/search_user_articles/call"
            is_none(refused([422, 502], post, path, alice.token, {"arguments": arguments}), bob)

with step("each user reads their own conversation"):
    for own, other in BOTH:
        messages = own.supabase.table("chat_messages").select("role, content").order("id").execute().data
        assert [message["role"] for message in messages] == ["user", "assistant"] * len(MODELS), messages
        is_own(messages, own, other)
        assert session_token_of(other.id) not in json.dumps(messages)

with step("logs tell nothing of what was found"):
    logs_tell_nothing()

finish()
