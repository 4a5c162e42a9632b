"""Recipe 1 as the platform's cookbook has it: chunks are read with the user's token, and the run gets them with the service key."""

from urllib.parse import quote

from app import SERVICE_ROLE_KEY, Refused, admin, headers, http, post, settled


def add_document(knowledge_base, owner, file):
    """The back end uploads a document, says whose it is, and puts it into a knowledge base."""
    source = post("/api/sources/upload", SERVICE_ROLE_KEY, files={"file": file})["id"]
    admin.table("documents").insert({"source_id": source, "owner_id": owner.id, "title": file[0]}).execute()
    settled(f"/api/sources/{source}", SERVICE_ROLE_KEY)
    sources = f"/api/knowledge-bases/{knowledge_base}/sources"
    place = post(sources, SERVICE_ROLE_KEY, {"source_id": source})
    settled(f"{sources}/{place['id']}", SERVICE_ROLE_KEY)
    return source


def retrieve_context(knowledge_base, token, question=None):
    """Reads the user's chunks of a knowledge base, with the user's token."""
    params = {
        "select": "id,text,score,source_id,meta",
        "knowledge_base_id": f"eq.{knowledge_base}",
        "order": "score.desc",
        "limit": "10",
    }
    sent = {**headers(token), "Accept-Profile": "ai"}
    if question:
        # Not in the cookbook: what the score is about. Without it, every score is 0.
        sent["Behalf-Query"] = quote(question)
    response = http.get("/rest/v1/chunks", params=params, headers=sent)
    if not response.is_success:
        raise Refused("chunks", response)
    return response.json()


def retrieve_with_client(knowledge_base, user):
    """The same with supabase-py."""
    chunks = user.supabase.schema("ai").table("chunks").select("id,text,score,source_id,meta")
    return chunks.eq("knowledge_base_id", knowledge_base).order("score", desc=True).limit(10).execute().data


def ask_agent(agent, message, chunks):
    """Gives the chunks to a run that the back end starts."""
    items = [{key: chunk[key] for key in ("text", "source_id", "meta")} for chunk in chunks]
    return post(f"/api/agents/{agent}/run", SERVICE_ROLE_KEY, {"message": message, "context_items": items})


def new_knowledge_base():
    """A knowledge base for the documents of all users."""
    return post("/api/knowledge-bases", SERVICE_ROLE_KEY, {"name": "boats"})["id"]


def new_agent(model):
    """An agent that searches nothing by itself."""
    return post("/api/agents", SERVICE_ROLE_KEY, {"name": "helper", "model": model})["id"]
