from app import call, events_of, get, headers, http, post
from retrieval.direct import add_document, ask, set_up
from retrieval.ways import QUESTION, changes_nothing, document_of, every_way, nobody_is_told, says_nothing
from walk import BOTH, MODELS, alice, bob, finish, is_none, is_own, refused, step

for model in MODELS:
    knowledge_base, agent = set_up(model)
    sources, runs = {}, {}

    with step(f"each user adds a document of their own, with {model}"):
        for person, colour in ((alice, "red"), (bob, "blue")):
            document = document_of(person, f"{colour} ({model})")
            sources[person] = add_document(knowledge_base, person, document)

    with step(f"the agent answers each user from their own documents, with {model}"):
        for own, other in BOTH:
            run = ask(agent, QUESTION, own)
            assert run["status"] == "completed", run
            is_own(run["content"], own, other)
            is_own(run["retrieved_items"], own, other)
            runs[own] = run["run_id"], run["session_id"]
            body = {"message": QUESTION, "session_id": run["session_id"]}
            path = f"/api/agents/{agent}/run/stream"
            with http.stream("POST", path, headers=headers(own.token), json=body) as stream:
                events = list(events_of(stream))
            assert events[-1]["status"] == "completed", events
            is_own(events, own, other)
            chat = {"model": agent, "messages": [{"role": "user", "content": QUESTION}]}
            is_own(post("/v1/chat/completions", own.token, chat), own, other)

    with step(f"every way to a chunk tells the same, with {model}"):
        for own, other in BOTH:
            for told in every_way(own, knowledge_base):
                is_own(told, own, other)

    with step(f"nothing says anything of the other's document, with {model}"):
        for own, other in BOTH:
            says_nothing(own, other, sources[other], knowledge_base)

    with step(f"nobody changes what the other has, with {model}"):
        for own, other in BOTH:
            changes_nothing(own, sources[other], knowledge_base)
            stolen = {"source_id": sources[other]}
            refused([404], post, f"/api/knowledge-bases/{knowledge_base}/sources", own.token, stolen)

    with step(f"nobody reaches a run of the other's, with {model}"):
        for own, other in BOTH:
            run, session = runs[other]
            for path in ("", "/events", "/approvals", "/feedback"):
                refused([404], get, f"/api/agents/runs/{run}{path}", own.token)
            refused([404], post, f"/api/agents/runs/{run}/cancel", own.token, {})
            refused([404], post, f"/api/agents/runs/{run}/approve", own.token, {"approved": True})
            refused([404], call, "PUT", f"/api/agents/runs/{run}/feedback", own.token, {"rating": "good"})
            for path in ("", "/messages", "/runs", f"/runs/{run}/retrieved-context"):
                refused([404], get, f"/api/sessions/{session}{path}", own.token)
            refused([404], call, "DELETE", f"/api/sessions/{session}", own.token)
            body = {"message": QUESTION, "session_id": session}
            refused([404], post, f"/api/agents/{agent}/run", own.token, body)
            sessions = get(f"/api/agents/{agent}/sessions", own.token)
            assert sessions["total"] >= 1, sessions
            is_none(sessions, other)

    with step(f"who has not signed in is told nothing, with {model}"):
        nobody_is_told(knowledge_base, sources[alice])

with step("nobody acts as the other"):
    for own, other in BOTH:
        answer = http.get("/api/sources", headers={**headers(own.token), "X-Behalf-Act-As": other.id})
        assert answer.status_code == 403, answer.text

finish()
