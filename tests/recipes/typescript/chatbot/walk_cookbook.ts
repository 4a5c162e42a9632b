import assert from "node:assert/strict";
import { once } from "node:events";
import { eventsOf, ok, post, setting } from "../app.ts";
import { alice, ANYBODY, bob, both, finish, isBuiltin, isNone, isOwn, MODELS, refused, step, type Person } from "../walk.ts";
import { changesNoAgent, logsTellNothing, QUESTION, reachesNothing, saveArticles } from "./articles.ts";
import { Chat, sessionTokenOf, startBackEnd } from "./cookbook.ts";

const port = Number(setting("BACK_END_PORT"));
const backEnd = `http://127.0.0.1:${port}`;

function ask(token: string, message: string): Promise<Response> {
  return fetch(`${backEnd}/api/chat`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ message }),
  });
}

const chat = new Chat(backEnd);
await once(startBackEnd(chat, port), "listening");

await step("each user saves articles of their own", saveArticles);

for (const model of MODELS) {
  chat.use(model);
  const runs = new Map<Person, { run: string; session: string; agent: string }>();

  await step(`the back end answers nobody who has not signed in, with ${model}`, async () => {
    for (const token of ANYBODY) {
      const answer = await ask(token, QUESTION);
      assert.equal(answer.status, 401, await answer.text());
    }
  });

  await step(`the agent finds the user's own articles, with ${model}`, async () => {
    for (const [own, other] of both) {
      // builtin/extractive reads no instructions: it is told what to call.
      const command = `/search_user_articles ${JSON.stringify({ query: "anchors", session_token: sessionTokenOf(own.id) })}`;
      const answer = await ask(own.token, isBuiltin(model) ? command : QUESTION);
      const events = await Array.fromAsync(eventsOf(answer.body!));
      const names = events.map((event) => event.event);
      assert.deepEqual([names[0], names.at(-1)], ["start", "complete"]);
      assert.ok(names.includes("tool_call") && names.includes("tool_result") && names.includes("chunk"), names.join());
      isOwn(events.at(-1).content, own, other);
      isNone(events, other);
      // The token passes through the model, so it stands in the events. It must never be the other's.
      assert.ok(!JSON.stringify(events).includes(sessionTokenOf(other.id)));
      const { run_id: run, session_id: session } = events[0];
      runs.set(own, { run, session, agent: session.replace("chat-", "") });
    }
  });

  await step(`no user reaches the runs of the back end, with ${model}`, async () => {
    for (const user of [alice, bob]) {
      for (const { run, session, agent } of runs.values()) await reachesNothing(user, agent, run, session);
    }
  });

  await step(`no user reaches the agents, in whose prompts the tokens stand, with ${model}`, async () => {
    for (const { agent } of runs.values()) await changesNoAgent(agent);
  });

  await step(`the tool answers nobody without a token that it gave out, with ${model}`, async () => {
    for (const session_token of ["", alice.id, bob.token, "00000000-0000-4000-8000-000000000000"]) {
      const body = JSON.stringify({ query: "anchors", session_token });
      const answer = await fetch(`${backEnd}/internal/tools/search-articles`, { method: "POST", body });
      assert.equal(answer.status, 401);
      const called = { arguments: { query: "anchors", session_token } };
      const refusal = await refused([422, 502], post("/api/tools/search_user_articles/call", alice.token, called));
      isNone(refusal, bob);
    }
  });
}

await step("each user reads their own conversation", async () => {
  for (const [own, other] of both) {
    const messages = await ok(own.supabase.from("chat_messages").select("role, content").order("id"));
    assert.deepEqual(messages.map((message) => message.role), MODELS.flatMap(() => ["user", "assistant"]));
    isOwn(messages, own, other);
    assert.ok(!JSON.stringify(messages).includes(sessionTokenOf(other.id)));
  }
});

await step("logs tell nothing of what was found", logsTellNothing);

finish();
