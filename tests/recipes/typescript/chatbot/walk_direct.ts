import assert from "node:assert/strict";
import { once } from "node:events";
import { ANON_KEY, call, get, post, SERVICE_ROLE_KEY, setting } from "../app.ts";
import { alice, ANYBODY, bob, both, finish, isNone, isOwn, MODELS, refused, step, type Person } from "../walk.ts";
import { actsAsNobodyElse, changesNoAgent, logsTellNothing, QUESTION, reachesNothing, saveArticles } from "./articles.ts";
import { chat, messagesOf, newAgent, newTool, startToolServer } from "./direct.ts";

const port = Number(setting("BACK_END_PORT"));
const server = startToolServer(port);
await once(server, "listening");
await newTool(`http://127.0.0.1:${port}`);

await step("each user saves articles of their own", saveArticles);

/** What a model could be talked into. */
const STATEMENTS = [
  "select title, body from articles",
  `select title, body from articles where owner_id = '${bob.id}' or owner_id = '${alice.id}'`,
  "select * from search_articles('anchors')",
  "select count(*), string_agg(body, ' ') from public.articles",
];
const HOSTILE = [
  `with x as materialized (select set_config('request.jwt.claims', '{"sub":"${bob.id}"}', true)) select a.* from x, articles a`,
  `with x as materialized (select set_config('role', 'service_role', true)) select a.* from x, articles a`,
  "select query_to_xml('select * from articles', true, true, '')",
  "select * from auth.users",
  "select * from ai.agent_runs where user_id <> auth.uid()",
  "reset role",
  "select 1; select body from articles",
];

for (const model of MODELS) {
  const agent = await newAgent(model);
  const runs = new Map<Person, { run: string; session: string }>();

  await step(`the agent finds the user's own articles, with ${model}`, async () => {
    for (const [own, other] of both) {
      const events = await Array.fromAsync(chat(agent, QUESTION, own));
      const called = events.filter((event) => event.event === "tool_call").map((event) => event.tool_name);
      assert.deepEqual(called, ["search_user_articles"]);
      isOwn(events.at(-1).content, own, other);
      isNone(events, other);
      runs.set(own, { run: events[0].run_id, session: events[0].session_id });
    }
  });

  await step(`SQL of a model reads the user's own rows, whatever it says, with ${model}`, async () => {
    for (const [own, other] of both) {
      for (const query of STATEMENTS) {
        const events = await Array.fromAsync(chat(agent, `/database_query ${JSON.stringify({ query })}`, own));
        isOwn(events.at(-1).content, own, other);
        isNone(events, other);
      }
      for (const query of HOSTILE) {
        const events = await Array.fromAsync(chat(agent, `/database_query ${JSON.stringify({ query })}`, own));
        assert.equal(events.at(-1).status, "completed");
        const told = events.filter((event) => event.event === "tool_result" || event.event === "complete");
        isNone(told, other);
        assert.ok(!JSON.stringify(told).includes(other.email), query);
      }
    }
  });

  await step(`each user goes on with their own conversation, with ${model}`, async () => {
    for (const [own, other] of both) {
      const { session } = runs.get(own)!;
      const events = await Array.fromAsync(chat(agent, QUESTION, own, session));
      assert.equal(events[0].session_id, session);
      const messages = await messagesOf(session, own);
      assert.deepEqual(messages.map((message) => message.role), ["user", "assistant", "user", "assistant"]);
      isOwn(messages, own, other);
      const sessions = await get(`/api/agents/${agent}/sessions`, own.token);
      const ids = sessions.sessions.map((one: { session_id: string }) => one.session_id);
      assert.ok(ids.includes(session) && !ids.includes(runs.get(other)!.session));
    }
  });

  await step(`nobody reaches the other's conversation, with ${model}`, async () => {
    for (const [own, other] of both) {
      const { run, session } = runs.get(other)!;
      await reachesNothing(own, agent, run, session);
    }
  });

  await step(`nobody acts as the other, with ${model}`, async () => actsAsNobodyElse(agent));

  await step(`agents and tools are the operator's, with ${model}`, async () => changesNoAgent(agent));
}

await step("the tool's server believes the platform's signature alone", async () => {
  const address = `http://127.0.0.1:${port}`;
  const body = JSON.stringify({ query: "anchors" });
  for (const token of [...ANYBODY, ANON_KEY, SERVICE_ROLE_KEY, alice.token, ""]) {
    const answer = await fetch(address, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body });
    assert.equal(answer.status, 401);
  }
  for (const [own, other] of both) {
    const called = await post("/api/tools/search_user_articles/call", own.token, { arguments: { query: "anchors" } });
    isOwn(called, own, other);
    const more = { query: "anchors", session_token: other.token, user_id: other.id, owner_id: other.id };
    const told = await post("/api/tools/search_user_articles/call", own.token, { arguments: more }).catch((error) => error.body);
    isNone(told, other);
  }
});

await step("a user deletes a conversation, and the other's stays", async () => {
  const agent = await newAgent(MODELS[0]!);
  const sessions = new Map<Person, string>();
  for (const [own] of both) sessions.set(own, (await Array.fromAsync(chat(agent, QUESTION, own)))[0].session_id);
  await call("DELETE", `/api/sessions/${sessions.get(alice)}`, alice.token);
  await refused([404], get(`/api/sessions/${sessions.get(alice)}/messages`, alice.token));
  isOwn(await messagesOf(sessions.get(bob)!, bob), bob, alice);
});

await step("logs tell nothing of what was found", logsTellNothing);

finish();
