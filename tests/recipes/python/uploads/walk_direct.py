import httpx

from app import call, get, post
from uploads.cookbook import keep_attachment
from uploads.direct import address_of, ask, set_up, upload_document
from uploads.files import (
    QUESTION,
    document_of,
    picture_of,
    reaches_no_file,
    reaches_no_platform_bucket,
    reaches_no_source,
)
from walk import BOTH, MODELS, alice, bob, finish, is_none, is_own, refused, step

sources, agents = {alice: [], bob: []}, []

for model in MODELS:
    knowledge_base, agent = set_up(model)
    agents.append(agent)

    with step(f"each user asks about documents of their own, with {model}"):
        for own, _ in BOTH:
            seen = []
            document = document_of(own, f"red, says {model}")
            sources[own].append(upload_document(document, own, knowledge_base, seen.append))
            assert seen[-1] == "extracted", seen
        for own, other in BOTH:
            run = ask(agent, QUESTION, own)
            assert run["status"] == "completed", run
            is_own(run["content"], own, other)
            is_own(run["retrieved_items"], own, other)

    with step(f"nobody reaches what the other has in the base, with {model}"):
        for own, other in BOTH:
            base = f"/api/knowledge-bases/{knowledge_base}"
            is_own(post(f"{base}/search", own.token, {"query": QUESTION, "top_k": 100}), own, other)
            listed = get(f"{base}/sources", own.token)["items"]
            assert [item["source_id"] for item in listed] == sources[own][-1:], listed
            assert post(f"{base}/items", own.token, {"source_ids": sources[other]})["items"] == []
            refused([404], post, f"{base}/sources", own.token, {"source_id": sources[other][-1]})
            refused([404], call, "PATCH", base, own.token, {"name": "mine"})
            refused([404], call, "DELETE", base, own.token)
            place = get(f"{base}/sources", other.token)["items"][0]["id"]
            for method in ("GET", "DELETE"):
                refused([404], call, method, f"{base}/sources/{place}", own.token)
            refused([404], post, f"{base}/sources/{place}/cancel", own.token, {})
            refused([404], get, f"{base}/indexed-sources/{place}/chunks", own.token)

with step("nobody reaches the other's sources"):
    for own, other in BOTH:
        for source in sources[other]:
            reaches_no_source(own, other, source)

with step("the same file of two users is two sources"):
    knowledge_base, _ = set_up(MODELS[0])
    same = ("tides.md", b"# Tides\n\nHigh water is at noon.\n", "text/markdown")
    hers = upload_document(same, alice, knowledge_base, str)
    his = upload_document(same, bob, knowledge_base, str)
    assert hers != his
    assert refused([409], upload_document, same, bob, knowledge_base, str)["duplicate"]["id"] == his
    reaches_no_source(bob, alice, hers)

with step("a document is shown by an address of its own"):
    for own, other in BOTH:
        source = sources[own][0]
        answer = httpx.get(address_of(source, own))
        assert answer.status_code == 200, answer.text
        is_own(answer.text, own, other)
        refused([404], address_of, source, other)

with step("each user keeps files of their own"):
    paths = {own: keep_attachment(picture_of(own), own) for own, _ in BOTH}
    for own, other in BOTH:
        reaches_no_file(own, other, paths[other])

with step("the platform's own bucket is out of reach"):
    for own, other in BOTH:
        reaches_no_platform_bucket(own, sources[other][0])

with step("a document that its owner deletes is in no answer any more"):
    for source in sources[alice]:
        call("DELETE", f"/api/sources/{source}", alice.token)
    for agent in agents:
        is_none(ask(agent, QUESTION, alice), alice)
        is_own(ask(agent, QUESTION, bob), bob, alice)
    for source in sources[alice]:
        refused([404], get, f"/api/sources/{source}", alice.token)
    for source in sources[bob]:
        get(f"/api/sources/{source}", bob.token)

finish()
