import asyncio
import os

from live.channels import devices, eavesdroppers, message_of, nobody_else_joins, nobody_else_speaks, quiet
from live.cookbook import new_agent, stream_and_broadcast, stream_and_store
from walk import BOTH, MODELS, alice, bob, changes_none, denied, finish, is_none, is_own, step

# Which of the two patterns this database is set up for.
IS_TRIGGER = os.environ["PATTERN"] == "4b"
stream = stream_and_store if IS_TRIGGER else stream_and_broadcast


async def main():
    everyone, outside = await devices(), await eavesdroppers()
    for model in MODELS:
        agent = new_agent(model)

        with step(f"all devices of a user hear the user's run, with {model}"):
            for own, _ in BOTH:
                for device in everyone[own]:
                    device.heard.clear()
                await asyncio.to_thread(stream, agent, own.id, message_of(own))
            await quiet(everyone)
            for own, other in BOTH:
                for device in everyone[own]:
                    told = device.told()
                    events = [payload["event"] if IS_TRIGGER else payload for _, payload in told]
                    names = [event["event"] for event in events]
                    assert (names[0], names[-1]) == ("start", "complete"), names
                    assert {"tool_call", "tool_result", "content_delta", "chunk"} <= set(names), names
                    if not IS_TRIGGER:
                        assert [event for event, _ in told] == names
                    is_own(events[-1]["content"], own, other)
                    is_none(device.heard, other)
                assert len({len(device.heard) for device in everyone[own]}) == 1, "both devices heard the same"

    with step("nobody else joins a user's channel"):
        await nobody_else_joins()

    with step("nobody else speaks on a user's channel"):
        await nobody_else_speaks(everyone)

    with step("the public channel of the same name hears nothing of it"):
        for device in outside:
            # What others sent there themselves is heard, and nothing else.
            assert device.heard and all(event == "forged" for event, _ in device.heard), device.heard
            is_none(device.heard, alice)
            is_none(device.heard, bob)

    with step("each user reads their own history"):
        for own, other in BOTH:
            table = own.supabase.table("chat_messages")
            rows = table.select("user_id, payload").order("id").execute().data
            assert all(row["user_id"] == own.id for row in rows), rows
            kinds = [row["payload"]["event"] for row in rows]
            if not IS_TRIGGER:
                assert set(kinds) == {"chunk", "complete"}, kinds
            assert kinds.count("complete") == len(MODELS), kinds
            is_own(rows, own, other)
            for user_id in (own.id, other.id):
                denied("42501", table.insert({"user_id": user_id, "payload": {"forged": True}}))
            changes_none(table.delete().eq("user_id", other.id))

    finish()


asyncio.run(main())
os._exit(0)
