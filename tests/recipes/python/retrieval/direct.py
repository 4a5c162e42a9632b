"""Recipe 1 with the user's own token in each request. The document belongs to who uploads it, and the agent's search finds what its
caller may read, so there are no policies to write, no chunks to carry, and no back end."""

from app import SERVICE_ROLE_KEY, post, settled


def set_up(model):
    """Once: a base to which every user may add documents, and an agent that searches it."""
    base = {"name": f"boats of {model}", "contributors": "authenticated"}
    knowledge_base = post("/api/knowledge-bases", SERVICE_ROLE_KEY, base)["id"]
    agent = post("/api/agents", SERVICE_ROLE_KEY, {"name": "helper", "model": model})["id"]
    post(f"/api/agents/{agent}/knowledge-bases", SERVICE_ROLE_KEY, {"knowledge_base_id": knowledge_base})
    return knowledge_base, agent


def add_document(knowledge_base, user, file):
    """The user uploads a document, and puts it into the base."""
    source = post("/api/sources/upload", user.token, files={"file": file})["id"]
    settled(f"/api/sources/{source}", user.token)
    sources = f"/api/knowledge-bases/{knowledge_base}/sources"
    place = post(sources, user.token, {"source_id": source})
    settled(f"{sources}/{place['id']}", user.token)
    return source


def ask(agent, message, user):
    """The user asks the agent."""
    return post(f"/api/agents/{agent}/run", user.token, {"message": message})
