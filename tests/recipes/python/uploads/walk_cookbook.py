from app import call, get, post
from uploads.cookbook import ask, keep_attachment, new_desk, upload_document
from uploads.files import (
    QUESTION,
    document_of,
    picture_of,
    reaches_no_file,
    reaches_no_platform_bucket,
    reaches_no_source,
)
from walk import BOTH, MODELS, alice, bob, denied, finish, is_none, is_own, refused, step

sources, desks = {alice: [], bob: []}, {}

for model in MODELS:
    with step(f"each user asks about a document that was uploaded for them, with {model}"):
        for own, other in BOTH:
            knowledge_base, agent = desks[own] = new_desk(own, model)
            document = document_of(own, f"red, says {model}")
            sources[own].append(upload_document(document, own, knowledge_base))
            run = ask(agent, QUESTION)
            assert run["status"] == "completed", run
            is_own(run["content"], own, other)
            is_own(run["retrieved_items"], own, other)

    with step(f"nobody reaches the other's runs, base and agent, with {model}"):
        for own, other in BOTH:
            knowledge_base, agent = desks[other]
            base = f"/api/knowledge-bases/{knowledge_base}"
            for path in ("", "/sources", "/available-sources"):
                refused([404], get, base + path, own.token)
            refused([404], post, f"{base}/search", own.token, {"query": QUESTION})
            refused([404], post, f"{base}/items", own.token, {"source_ids": sources[other]})
            refused([404], post, f"{base}/sources", own.token, {"source_id": sources[own][0]})
            refused([404], post, f"{base}/reindex", own.token, {})
            refused([404], call, "PATCH", base, own.token, {"name": "mine"})
            refused([404], call, "DELETE", base, own.token)
            # Who knows the other's agent may ask it, and it finds what the asker may read: nothing.
            run = post(f"/api/agents/{agent}/run", own.token, {"message": QUESTION})
            is_none(run, other)
            assert run["retrieved_items"] == [], run

with step("nobody reaches the other's sources"):
    for own, other in BOTH:
        for source in sources[other]:
            reaches_no_source(own, other, source)
        rows = own.supabase.table("documents").select("source_id").execute().data
        assert sorted(row["source_id"] for row in rows) == sorted(sources[own]), rows

with step("nobody claims a source of the other's"):
    for own, other in BOTH:
        claim = {"source_id": sources[other][0], "owner_id": own.id}
        denied("42501", own.supabase.table("documents").insert(claim))

with step("each user keeps files of their own"):
    paths = {own: keep_attachment(picture_of(own), own) for own, _ in BOTH}
    for own, other in BOTH:
        content = own.supabase.storage.from_("attachments").download(paths[own])
        is_own(content.decode(), own, other)
        reaches_no_file(own, other, paths[other])

with step("the platform's own bucket is out of reach"):
    for own, other in BOTH:
        reaches_no_platform_bucket(own, sources[other][0])

with step("a file that the back end has already is no second source"):
    again = document_of(alice, f"red, says {MODELS[0]}")
    refusal = refused([409], upload_document, again, bob, desks[bob][0])
    assert (refusal["error"], refusal.get("id")) == ("duplicate_source", None), refusal
    assert refusal["duplicate"]["id"] == sources[alice][0], refusal

finish()
