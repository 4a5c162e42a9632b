"""Recipe 4 as the platform's cookbook has it: the app's back end reads the stream of a run, and tells the user's channel of it. In
pattern 4a it sends each event itself; in pattern 4b it stores each event, and a trigger sends it."""

from realtime.types import RealtimeSubscribeStates
from supabase import AsyncClientOptions, acreate_client

from app import ANON_KEY, BASE_URL, SERVICE_ROLE_KEY, admin, events_of, http, post


def run(agent, message):
    """Starts a run with the service key."""
    sent = {"apikey": SERVICE_ROLE_KEY, "Authorization": f"Bearer {SERVICE_ROLE_KEY}"}
    with http.stream("POST", f"/api/agents/{agent}/run/stream", headers=sent, json={"message": message}) as stream:
        yield from events_of(stream)


def stream_and_broadcast(agent, user_id, message):
    """Pattern 4a: keeps what lasts, and sends everything to the user's channel."""
    for event in run(agent, message):
        if event["event"] in ("chunk", "complete"):
            admin.table("chat_messages").insert({"user_id": user_id, "payload": event}).execute()
        broadcast({"topic": f"chat:{user_id}", "event": event["event"], "payload": event})


def broadcast(message):
    messages = [{**message, "private": True}]
    post("/realtime/v1/api/broadcast", SERVICE_ROLE_KEY, {"messages": messages})


def stream_and_store(agent, user_id, message):
    """Pattern 4b: stores every event. The trigger on the table sends it."""
    for event in run(agent, message):
        admin.table("chat_messages").insert({"user_id": user_id, "payload": event}).execute()


async def listen(user, heard, topic=None, private=True):
    """On each of the user's devices: hears the user's channel."""
    options = AsyncClientOptions(headers={"Authorization": f"Bearer {user.token}"}, auto_refresh_token=False)
    client = await acreate_client(BASE_URL, ANON_KEY, options)
    await client.realtime.set_auth(user.token)
    broadcasts, presence = {"ack": False, "self": False}, {"key": "", "enabled": False}
    config = {"broadcast": broadcasts, "presence": presence, "private": private}
    channel = client.channel(topic or f"chat:{user.id}", {"config": config})
    channel.on_broadcast("*", lambda message: heard(message["event"], message["payload"]))
    states = []
    await channel.subscribe(lambda state, error: states.append((state, error)))
    state, error = states[0]
    if state != RealtimeSubscribeStates.SUBSCRIBED:
        await client.realtime.close()
        raise PermissionError(str(error))
    return client


def new_agent(model):
    agent = post("/api/agents", SERVICE_ROLE_KEY, {"name": "writer", "model": model})["id"]
    post(f"/api/agents/{agent}/tools", SERVICE_ROLE_KEY, {"tool_type": "builtin", "tool_name": "echo"})
    return agent
