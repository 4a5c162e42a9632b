"""Who hears and speaks on which channel, for the walks of this recipe."""

import asyncio
import secrets
from dataclasses import dataclass, field

from postgrest import APIError

from app import ANON_KEY, SERVICE_ROLE_KEY, User, headers, http, post, sign_in
from live.cookbook import listen
from walk import BOTH, PASSWORD, is_none, rows_of


def message_of(person):
    """A message that makes the agent say the word, with either kind of model."""
    return f'/echo {{"text": "Remember berth {person.canary}."}}'


@dataclass
class Device:
    """What a device heard."""

    user: User
    heard: list = field(default_factory=list)
    client: object = None

    def hear(self, event, payload):
        self.heard.append((event, payload))

    def marks(self):
        return [payload["mark"] for event, payload in self.heard if event == "mark"]

    def told(self):
        return [(event, payload) for event, payload in self.heard if event != "mark"]


async def devices():
    """Two devices of each."""
    everyone = {}
    for person, _ in BOTH:
        everyone[person] = [Device(sign_in(person.email, PASSWORD)) for _ in range(2)]
        for device in everyone[person]:
            device.client = await listen(device.user, device.hear)
    return everyone


async def eavesdroppers():
    """Those who listen at the public channels of the same topics."""
    outside = []
    for own, other in BOTH:
        device = Device(sign_in(own.email, PASSWORD))
        device.client = await listen(device.user, device.hear, f"chat:{other.id}", private=False)
        outside.append(device)
    return outside


async def nobody_else_joins():
    """Nobody else joins a user's private channel, however its topic is spelt."""
    for own, other in BOTH:
        anon = User("", ANON_KEY, None)
        for topic in (f"chat:{other.id}", f"chat:{other.id.upper()}", f"chat:{other.id} ", f"user:{other.id}", "chat:"):
            for user in (own, anon):
                try:
                    await listen(user, lambda *_: None, topic)
                except PermissionError as error:
                    assert "Unauthorized" in str(error), error
                else:
                    raise AssertionError(f"{topic} was joined")


async def nobody_else_speaks(everyone):
    """Nobody else speaks on a user's channel: neither by HTTP nor by the database."""
    for own, other in BOTH:
        for token in (own.token, ANON_KEY):
            for private in (True, False):
                forged = {"event": "forged", "payload": {"words": "by HTTP"}, "private": private}
                body = {"messages": [{**forged, "topic": f"chat:{other.id}"}]}
                http.post("/realtime/v1/api/broadcast", headers=headers(token), json=body)
        sent = {"payload": {"words": "by SQL"}, "event": "forged", "topic": f"chat:{other.id}", "private": True}
        realtime = own.supabase.schema("realtime")
        row = {"topic": sent["topic"], "extension": "broadcast"}
        for query in (realtime.rpc("send", sent), realtime.table("messages").insert(row)):
            try:
                query.execute()
            except APIError:
                continue
            raise AssertionError("the schema of channels is open")
        is_none(rows_of(own, "realtime", "messages"), other)
    await quiet(everyone)
    for device in sum(everyone.values(), []):
        assert not any(event == "forged" for event, _ in device.heard), device.heard


async def quiet(everyone):
    """Returns once whatever was sent before has arrived: a last message of the back end has come to each device."""
    mark = secrets.token_hex(8)
    messages = [
        {"topic": f"chat:{person.id}", "event": "mark", "payload": {"mark": mark}, "private": True} for person in everyone
    ]
    await asyncio.to_thread(post, "/realtime/v1/api/broadcast", SERVICE_ROLE_KEY, {"messages": messages})
    everybody = sum(everyone.values(), [])
    for _ in range(1_200):
        if all(device.marks().count(mark) for device in everybody):
            return
        await asyncio.sleep(0.025)
    raise AssertionError("a last message does not come")
