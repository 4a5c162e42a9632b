"""Recipe 3 as the platform's cookbook has it: a file to ask questions about goes to /api/sources with the service key, a file to show
goes to the app's own bucket with the user's token."""

from app import SERVICE_ROLE_KEY, admin, post, settled


def new_desk(owner, model):
    """A user's knowledge base, and an agent that searches it. Each user has their own."""
    base = {"name": f"files of {owner.id}"}
    knowledge_base = post("/api/knowledge-bases", SERVICE_ROLE_KEY, base)["id"]
    agent = post("/api/agents", SERVICE_ROLE_KEY, {"name": "reader", "model": model})["id"]
    post(f"/api/agents/{agent}/knowledge-bases", SERVICE_ROLE_KEY, {"knowledge_base_id": knowledge_base})
    return knowledge_base, agent


def upload_document(file, owner, knowledge_base):
    """Uploads a document, notes whose it is, waits until it is read, and has it indexed."""
    source = post("/api/sources/upload", SERVICE_ROLE_KEY, files={"file": file})["id"]
    # Written by the back end: a user who could write here could claim a source of somebody else.
    admin.table("documents").insert({"source_id": source, "owner_id": owner.id, "title": file[0]}).execute()
    settled(f"/api/sources/{source}", SERVICE_ROLE_KEY)
    sources = f"/api/knowledge-bases/{knowledge_base}/sources"
    place = post(sources, SERVICE_ROLE_KEY, {"source_id": source})
    settled(f"{sources}/{place['id']}", SERVICE_ROLE_KEY)
    return source


def ask(agent, message):
    """Asks about the documents of a desk, with the service key."""
    return post(f"/api/agents/{agent}/run", SERVICE_ROLE_KEY, {"message": message})


def keep_attachment(file, user):
    """Keeps a file to show it later, in the user's own folder."""
    name, content, kind = file
    path = f"{user.id}/{name}"
    user.supabase.storage.from_("attachments").upload(path, content, {"content-type": kind})
    return path
