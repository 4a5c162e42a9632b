import asyncio
import os

from app import events_of, headers, http
from chatbot.articles import reaches_nothing
from live.channels import devices, eavesdroppers, message_of, nobody_else_joins, nobody_else_speaks, quiet
from live.direct import ask, new_agent
from walk import BOTH, MODELS, alice, bob, finish, is_none, is_own, step


def events_of_run(run, token):
    with http.stream("GET", f"/api/agents/runs/{run}/events", headers=headers(token)) as stream:
        return list(events_of(stream))


async def main():
    everyone, outside = await devices(), await eavesdroppers()
    for model in MODELS:
        agent = new_agent(model)

        with step(f"all devices of a user hear the user's run, with {model}"):
            for own, other in BOTH:
                for device in everyone[own]:
                    device.heard.clear()
                run = await asyncio.to_thread(ask, agent, message_of(own), own)
                is_own(run["content"], own, other)
                await quiet(everyone)
                streamed = events_of_run(run["run_id"], own.token)
                for device in everyone[own]:
                    told = device.told()
                    assert {event for event, _ in told} == {"run_event"}, told
                    assert [payload["data"] for _, payload in told] == streamed, told
                    is_own(told, own, other)
                for device in everyone[other]:
                    is_none(device.heard, own)
                reaches_nothing(other, agent, run["run_id"], run["session_id"])

    with step("nobody else joins a user's channel"):
        await nobody_else_joins()

    with step("nobody else speaks on a user's channel"):
        await nobody_else_speaks(everyone)

    with step("the public channel of the same name hears nothing of it"):
        for device in outside:
            assert device.heard and all(event == "forged" for event, _ in device.heard), device.heard
            is_none(device.heard, alice)
            is_none(device.heard, bob)

    with step("a user speaks on no channel of runs, not even their own"):
        for own, _ in BOTH:
            forged = {"event": "run_event", "payload": {"forged": True}, "private": True}
            body = {"messages": [{**forged, "topic": f"chat:{own.id}"}]}
            http.post("/realtime/v1/api/broadcast", headers=headers(own.token), json=body)
        await quiet(everyone)
        for device in sum(everyone.values(), []):
            assert "forged" not in str(device.heard), device.heard

    finish()


asyncio.run(main())
os._exit(0)
