"""Recipe 4 with the user's own token in each request. The agent's setting `mirror_to_channel` tells the user's channel each event of a
run, so there is no back end, no table, no trigger and no policy."""

from app import SERVICE_ROLE_KEY, post


def new_agent(model):
    """Once: an agent whose runs are told to their users' channels."""
    settings = {"mirror_to_channel": True}
    agent = post("/api/agents", SERVICE_ROLE_KEY, {"name": "writer", "model": model, "settings": settings})["id"]
    post(f"/api/agents/{agent}/tools", SERVICE_ROLE_KEY, {"tool_type": "builtin", "tool_name": "echo"})
    return agent


def ask(agent, message, user):
    """On one device: starts a run. All devices of the user hear it."""
    return post(f"/api/agents/{agent}/run", user.token, {"message": message})
