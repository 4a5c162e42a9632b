import assert from "node:assert/strict";
import { BASE_URL, eventsOf, headers } from "../app.ts";
import { alice, bob, both, deviceOf, finish, isNone, isOwn, MODELS, step } from "../walk.ts";
import { reachesNothing } from "../chatbot/articles.ts";
import { devices, eavesdroppers, messageOf, nobodyElseJoins, nobodyElseSpeaks, quiet } from "./channels.ts";
import { listen as listenToApp } from "./cookbook.ts";
import { ask, listen, newAgent } from "./direct.ts";

// A device hears whatever comes; the app's own way shows the events of runs.
const all = await devices(listenToApp);
const outside = await eavesdroppers();

for (const model of MODELS) {
  const agent = await newAgent(model);

  await step(`all devices of a user hear the user's run, with ${model}`, async () => {
    for (const [own, other] of both) {
      const shown: any[] = [];
      await listen(await deviceOf(own), (event) => shown.push(event));
      for (const device of all.get(own)!) device.heard = [];
      const run = await ask(agent, messageOf(own), own);
      isOwn(run.content, own, other);
      await quiet(all);
      const events = await fetch(`${BASE_URL}/api/agents/runs/${run.run_id}/events`, { headers: headers(own.token) });
      const streamed = await Array.fromAsync(eventsOf(events.body!));
      assert.deepEqual(shown, streamed, "the channel tells what the stream tells");
      for (const { heard } of all.get(own)!) {
        const told = heard.filter(({ event }) => event !== "mark");
        assert.deepEqual(told.map(({ payload }) => payload.data), streamed);
        isOwn(told, own, other);
      }
      for (const { heard } of all.get(other)!) isNone(heard, own);
      await reachesNothing(other, agent, run.run_id, run.session_id);
    }
  });
}

await step("nobody else joins a user's channel", nobodyElseJoins);

await step("nobody else speaks on a user's channel", async () => nobodyElseSpeaks(all));

await step("the public channel of the same name hears nothing of it", async () => {
  for (const { heard } of outside) {
    assert.ok(heard.length > 0 && heard.every(({ event }) => event === "forged"), JSON.stringify(heard));
    isNone(heard, alice);
    isNone(heard, bob);
  }
});

await step("a user speaks on no channel of runs, not even their own", async () => {
  for (const [own] of both) {
    const body = JSON.stringify({ messages: [{ topic: `chat:${own.id}`, event: "run_event", payload: { forged: true }, private: true }] });
    const url = `${BASE_URL}/realtime/v1/api/broadcast`;
    await fetch(url, { method: "POST", headers: { ...headers(own.token), "Content-Type": "application/json" }, body });
  }
  await quiet(all);
  for (const pair of all.values()) {
    for (const { heard } of pair) assert.ok(!JSON.stringify(heard).includes("forged"));
  }
});

finish();
