"""Two users meet in channels with supabase-py, each at a host of its own: the same walk as realtime.mjs, shorter.

BASE_URL and OTHER_URL (two hosts of one project), KEY (the anon key), ALICE and BOB (tokens)."""

import asyncio
import json
import os

from realtime.types import RealtimeSubscribeStates
from supabase import AsyncClientOptions, acreate_client

KEY = os.environ["KEY"]


async def signed_in(url, token):
    client = await acreate_client(url, KEY, AsyncClientOptions(headers={"Authorization": f"Bearer {token}"}))
    await client.realtime.set_auth(token)
    return client


async def state_of(channel):
    states = []
    await channel.subscribe(lambda state, error: states.append((state, error)))
    return states[0]


async def join(channel):
    state, error = await state_of(channel)
    assert state == RealtimeSubscribeStates.SUBSCRIBED, f"{channel.topic}: {state} {error}"
    return channel


async def until(what, check):
    for _ in range(400):
        if check():
            return
        await asyncio.sleep(0.025)
    raise AssertionError(f"in vain: {what}")


def heard(client, topic, event="said", private=False, own=False):
    config = {"broadcast": {"ack": False, "self": own}, "presence": {"key": "", "enabled": False}, "private": private}
    channel, words = client.channel(topic, {"config": config}), []
    channel.on_broadcast(event, lambda message: words.append(message["payload"]["words"]))
    return channel, words


async def broadcasts(alice, bob):
    lobby, hers = heard(alice, "lobby", own=True)
    bobs, his = heard(bob, "lobby")
    await join(lobby)
    await join(bobs)
    for number in range(20):
        await lobby.send_broadcast("said", {"words": number})
    await until("counting", lambda: len(hers) == 20 and len(his) == 20)
    assert hers == his == list(range(20)), (hers, his)
    await bobs.http_send("said", {"words": "Grüße 👋"})
    await until("a message by HTTP", lambda: hers[-1] == his[-1] == "Grüße 👋")
    await alice.remove_channel(lobby)
    await bob.remove_channel(bobs)


async def rooms(alice, bob):
    both, hers = heard(alice, "room:both", private=True)
    his_both, his = heard(bob, "room:both", private=True)
    hers_alone, mine = heard(alice, "room:hers", private=True, own=True)
    for channel in (both, his_both, hers_alone):
        await join(channel)
    outside, _ = heard(bob, "room:hers", private=True)
    state, error = await state_of(outside)
    assert state == RealtimeSubscribeStates.CHANNEL_ERROR and "Unauthorized" in str(error), (state, error)
    await outside.unsubscribe()
    await both.send_broadcast("said", {"words": "among us"})
    await until("a private message", lambda: his == ["among us"])
    await bob.rpc("say", {"room": "room:hers", "words": "not stored"}).execute()
    await alice.rpc("say", {"room": "room:both", "words": "stored"}).execute()
    await until("a stored message", lambda: "stored" in hers and "stored" in his)
    await hers_alone.send_broadcast("said", {"words": "mine"})
    await until("her own message", lambda: mine != [])
    assert mine == ["mine"], mine


async def presence(alice, bob):
    def desk(client, key):
        config = {"broadcast": {"ack": False, "self": False}, "presence": {"key": key, "enabled": True}, "private": False}
        return client.channel("desk", {"config": config}).on_presence_sync(lambda: None)

    def here(channel):
        return sorted((key, [one["mood"] for one in metas]) for key, metas in channel.presence_state().items())

    hers, his = await join(desk(alice, "alice")), await join(desk(bob, "bob"))
    await hers.track({"mood": "fine"})
    await his.track({"mood": "tired"})
    both = [("alice", ["fine"]), ("bob", ["tired"])]
    await until("both at the desk", lambda: here(hers) == both and here(his) == both)
    await bob.realtime.close()
    await until("Bob is gone", lambda: here(hers) == [("alice", ["fine"])])


async def changes(alice, bob):
    def follow(client, name, **filters):
        channel, seen, ready = client.channel(name), [], []
        channel.on_system(lambda message: ready.append(message.extension))
        channel.on_postgres_changes("*", lambda change: seen.append(change["data"]), table="tasks", schema="public", **filters)
        return channel, seen, ready

    followed = [follow(alice, "all"), follow(alice, "work", filter="list=eq.work"), follow(bob, "all")]
    for channel, _, ready in followed:
        await join(channel)
        await until("changes are followed", lambda ready=ready: "postgres_changes" in ready)
    hers, work, his = (seen for _, seen, _ in followed)
    await alice.table("tasks").insert({"list": "work", "title": "report"}).execute()
    await alice.table("tasks").insert({"list": "home", "title": "milk"}).execute()
    await bob.table("tasks").insert({"list": "work", "title": "bike"}).execute()
    await until("all changes", lambda: len(hers) == 2 and len(work) == 1 and len(his) == 1)
    titles = [[change["record"]["title"] for change in seen] for seen in (hers, work, his)]
    assert titles == [["report", "milk"], ["report"], ["bike"]], titles


async def main():
    alice = await signed_in(os.environ["BASE_URL"], os.environ["ALICE"])
    bob = await signed_in(os.environ["OTHER_URL"], os.environ["BOB"])
    await broadcasts(alice, bob)
    await rooms(alice, bob)
    await changes(alice, bob)
    await presence(alice, bob)
    await alice.realtime.close()
    print(json.dumps({"done": True}))


asyncio.run(main())
