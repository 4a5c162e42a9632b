"""Recipe 3 with the user's own token in each request. A source belongs to who uploads it, so nothing is noted beside it, and one base
and one agent serve all users."""

from app import SERVICE_ROLE_KEY, events_of, headers, http, post, settled


def set_up(model):
    """Once: a base to which every user may add files, and an agent that searches it."""
    base = {"name": f"files for {model}", "contributors": "authenticated"}
    knowledge_base = post("/api/knowledge-bases", SERVICE_ROLE_KEY, base)["id"]
    agent = post("/api/agents", SERVICE_ROLE_KEY, {"name": "reader", "model": model})["id"]
    post(f"/api/agents/{agent}/knowledge-bases", SERVICE_ROLE_KEY, {"knowledge_base_id": knowledge_base})
    return knowledge_base, agent


def upload_document(file, user, knowledge_base, show):
    """Uploads a document, follows how far it is, and has it indexed."""
    source = post("/api/sources/upload", user.token, files={"file": file})["id"]
    # The stream ends when nothing more happens by itself.
    with http.stream("GET", f"/api/sources/{source}/events", headers=headers(user.token)) as progress:
        for event in events_of(progress):
            show(event["extraction_status"])
    sources = f"/api/knowledge-bases/{knowledge_base}/sources"
    place = post(sources, user.token, {"source_id": source})
    settled(f"{sources}/{place['id']}", user.token)
    return source


def ask(agent, message, user):
    """The user asks about their files."""
    return post(f"/api/agents/{agent}/run", user.token, {"message": message})


def address_of(source, user):
    """An address of a document's file, for whoever has it, for a minute. There is no need to keep the file twice."""
    return post(f"/api/sources/{source}/download-url", user.token, {"expires_in": 60})["signed_url"]
