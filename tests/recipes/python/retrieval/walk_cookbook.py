from app import ANON_KEY, admin, call, get, headers, http, post
from retrieval.cookbook import (
    add_document,
    ask_agent,
    new_agent,
    new_knowledge_base,
    retrieve_context,
    retrieve_with_client,
)
from retrieval.ways import QUESTION, changes_nothing, document_of, every_way, nobody_is_told, says_nothing
from walk import BOTH, MODELS, alice, bob, changes_none, denied, finish, is_none, is_own, refused, rows_of, step

base = new_knowledge_base()
sources = {}

with step("the back end adds a document of each user"):
    sources[alice] = add_document(base, alice, document_of(alice, "red"))
    sources[bob] = add_document(base, bob, document_of(bob, "blue"))

with step("each user reads the chunks of their own documents"):
    for own, other in BOTH:
        for chunks in (retrieve_context(base, own.token), retrieve_with_client(base, own)):
            assert set(chunks[0]) == {"id", "text", "score", "source_id", "meta"}, chunks
            assert all(chunk["source_id"] == sources[own] for chunk in chunks), chunks
            is_own(chunks, own, other)
        assert retrieve_context(base, own.token, QUESTION)[0]["score"] > 0

with step("every way to a chunk tells the same"):
    for own, other in BOTH:
        for told in every_way(own, base):
            is_own(told, own, other)

with step("nothing says anything of the other's document"):
    for own, other in BOTH:
        says_nothing(own, other, sources[other], base)
        documents = own.supabase.table("documents").select("source_id").execute().data
        assert documents == [{"source_id": sources[own]}], documents

with step("nobody changes what the other has, or takes it over"):
    for own, other in BOTH:
        changes_nothing(own, sources[other], base)
        claimed = {"source_id": sources[other], "owner_id": own.id}
        denied("42501", own.supabase.table("documents").insert(claimed))
        changes_none(own.supabase.table("documents").update(claimed).eq("owner_id", other.id))

with step("who has not signed in is told nothing"):
    nobody_is_told(base, sources[alice])
    answer = http.get("/rest/v1/chunks?select=text", headers={**headers(ANON_KEY), "Accept-Profile": "ai"})
    is_none(answer.text, alice)
    is_none(answer.text, bob)

for model in MODELS:
    agent = new_agent(model)
    runs = []

    with step(f"the agent is told the user's chunks alone, with {model}"):
        for own, other in BOTH:
            run = ask_agent(agent, QUESTION, retrieve_context(base, own.token))
            assert run["status"] == "completed", run
            is_own(run["content"], own, other)
            is_own(run["retrieved_items"], own, other)
            assert run["retrieved_items"][0]["source_id"] == sources[own], run
            runs.append((run["run_id"], run["session_id"]))

    with step(f"no user reaches the runs of the back end, with {model}"):
        for user in (alice, bob):
            for run_id, session_id in runs:
                refused([404], get, f"/api/agents/runs/{run_id}", user.token)
                refused([404], get, f"/api/agents/runs/{run_id}/events", user.token)
                for path in ("", "/messages", "/runs", f"/runs/{run_id}/retrieved-context"):
                    refused([404], get, f"/api/sessions/{session_id}{path}", user.token)
                refused([404], call, "DELETE", f"/api/sessions/{session_id}", user.token)
                body = {"message": "Go on.", "session_id": session_id}
                refused([404], post, f"/api/agents/{agent}/run", user.token, body)

with step("a document that is given away is read by who has it now"):
    admin.table("documents").update({"owner_id": alice.id}).eq("source_id", sources[bob]).execute()
    hers = str(retrieve_context(base, alice.token))
    assert alice.canary in hers and bob.canary in hers, hers
    assert retrieve_context(base, bob.token) == []
    for person in (alice, bob):
        is_none(rows_of(bob, "ai", "chunks"), person)
    refused([404], post, f"/api/knowledge-bases/{base}/search", bob.token, {"query": QUESTION})

finish()
