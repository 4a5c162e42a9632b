import assert from "node:assert/strict";
import { ok, setting } from "../app.ts";
import { alice, bob, both, changesNone, denied, finish, isNone, isOwn, MODELS, step } from "../walk.ts";
import { devices, eavesdroppers, messageOf, nobodyElseJoins, nobodyElseSpeaks, quiet } from "./channels.ts";
import { listen, newAgent, streamAndBroadcast, streamAndStore } from "./cookbook.ts";

// Which of the two patterns this database is set up for.
const isTrigger = setting("PATTERN") === "4b";
const stream = isTrigger ? streamAndStore : streamAndBroadcast;

const all = await devices(listen);
const outside = await eavesdroppers();

for (const model of MODELS) {
  const agent = await newAgent(model);

  await step(`all devices of a user hear the user's run, with ${model}`, async () => {
    for (const [own] of both) {
      for (const device of all.get(own)!) device.heard = [];
      await stream(agent, own.id, messageOf(own));
    }
    await quiet(all);
    for (const [own, other] of both) {
      for (const { heard } of all.get(own)!) {
        const events = heard.filter(({ event }) => event !== "mark").map(({ payload }) => (isTrigger ? payload.event : payload));
        const names = events.map((event) => event.event);
        assert.deepEqual([names[0], names.at(-1)], ["start", "complete"]);
        for (const name of ["tool_call", "tool_result", "content_delta", "chunk"]) assert.ok(names.includes(name), names.join());
        if (!isTrigger) assert.deepEqual(heard.filter(({ event }) => event !== "mark").map(({ event }) => event), names);
        isOwn(events.at(-1).content, own, other);
        isNone(heard, other);
      }
      assert.equal(new Set(all.get(own)!.map(({ heard }) => heard.length)).size, 1, "both devices heard the same");
    }
  });
}

await step("nobody else joins a user's channel", nobodyElseJoins);

await step("nobody else speaks on a user's channel", async () => nobodyElseSpeaks(all));

await step("the public channel of the same name hears nothing of it", async () => {
  for (const { heard } of outside) {
    // What others sent there themselves is heard, and nothing else.
    assert.ok(heard.length > 0 && heard.every(({ event }) => event === "forged"), JSON.stringify(heard));
    isNone(heard, alice);
    isNone(heard, bob);
  }
});

await step("each user reads their own history", async () => {
  for (const [own, other] of both) {
    const rows = await ok(own.supabase.from("chat_messages").select("user_id, payload").order("id"));
    assert.ok(rows.every((row) => row.user_id === own.id));
    const kinds = new Set(rows.map((row) => row.payload.event));
    if (!isTrigger) assert.deepEqual([...kinds], ["chunk", "complete"]);
    assert.equal(rows.filter((row) => row.payload.event === "complete").length, MODELS.length);
    isOwn(rows, own, other);
    await denied("42501", own.supabase.from("chat_messages").insert({ user_id: other.id, payload: { forged: true } }));
    await denied("42501", own.supabase.from("chat_messages").insert({ user_id: own.id, payload: { forged: true } }));
    await changesNone(own.supabase.from("chat_messages").delete().eq("user_id", other.id).select());
  }
});

finish();
