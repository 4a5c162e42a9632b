import assert from "node:assert/strict";
import { BASE_URL, call, eventsOf, get, headers, post } from "../app.ts";
import { alice, bob, both, finish, isNone, isOwn, MODELS, refused, step, type Person } from "../walk.ts";
import { addDocument, ask, setUp } from "./direct.ts";
import { changesNothing, documentOf, everyWay, nobodyIsTold, QUESTION, saysNothing } from "./ways.ts";

for (const model of MODELS) {
  const { knowledgeBase, agent } = await setUp(model);
  const sources = new Map<Person, string>();
  const runs: [Person, any][] = [];

  await step(`each user adds a document of their own, with ${model}`, async () => {
    for (const [person, colour] of [[alice, "red"], [bob, "blue"]] as const) {
      const document = documentOf(person, `${colour} (${model})`);
      sources.set(person, await addDocument(knowledgeBase, person, document));
    }
  });

  await step(`the agent answers each user from their own documents, with ${model}`, async () => {
    for (const [own, other] of both) {
      const run = await ask(agent, QUESTION, own);
      assert.equal(run.status, "completed");
      isOwn(run.content, own, other);
      isOwn(run.retrieved_items, own, other);
      runs.push([own, run]);
      const body = JSON.stringify({ message: QUESTION, session_id: run.session_id });
      const stream = await fetch(`${BASE_URL}/api/agents/${agent}/run/stream`, {
        method: "POST",
        headers: { ...headers(own.token), "Content-Type": "application/json" },
        body,
      });
      const events = await Array.fromAsync(eventsOf(stream.body!));
      assert.equal(events.at(-1).status, "completed");
      isOwn(events, own, other);
      const chat = { model: agent, messages: [{ role: "user", content: QUESTION }] };
      isOwn(await post("/v1/chat/completions", own.token, chat), own, other);
    }
  });

  await step(`every way to a chunk tells the same, with ${model}`, async () => {
    for (const [own, other] of both) {
      for (const [, told] of await everyWay(own, knowledgeBase)) isOwn(told, own, other);
    }
  });

  await step(`nothing says anything of the other's document, with ${model}`, async () => {
    for (const [own, other] of both) await saysNothing(own, other, sources.get(other)!, knowledgeBase);
  });

  await step(`nobody changes what the other has, with ${model}`, async () => {
    for (const [own, other] of both) {
      await changesNothing(own, sources.get(other)!, knowledgeBase);
      const stolen = { source_id: sources.get(other) };
      await refused([404], post(`/api/knowledge-bases/${knowledgeBase}/sources`, own.token, stolen));
    }
  });

  await step(`nobody reaches a run of the other's, with ${model}`, async () => {
    for (const [own, other] of both) {
      for (const [, { run_id, session_id }] of runs.filter(([person]) => person === other)) {
        for (const path of ["", "/events", "/approvals", "/feedback"]) {
          await refused([404], get(`/api/agents/runs/${run_id}${path}`, own.token));
        }
        await refused([404], post(`/api/agents/runs/${run_id}/cancel`, own.token, {}));
        await refused([404], post(`/api/agents/runs/${run_id}/approve`, own.token, { approved: true }));
        await refused([404], call("PUT", `/api/agents/runs/${run_id}/feedback`, own.token, { rating: "good" }));
        for (const path of ["", "/messages", "/runs", `/runs/${run_id}/retrieved-context`]) {
          await refused([404], get(`/api/sessions/${session_id}${path}`, own.token));
        }
        await refused([404], call("DELETE", `/api/sessions/${session_id}`, own.token));
        await refused([404], post(`/api/agents/${agent}/run`, own.token, { message: QUESTION, session_id }));
      }
      const sessions = await get(`/api/agents/${agent}/sessions`, own.token);
      assert.ok(sessions.total >= 1);
      isNone(sessions, other);
    }
  });

  await step(`who has not signed in is told nothing, with ${model}`, async () => {
    await nobodyIsTold(knowledgeBase, sources.get(alice)!);
  });
}

await step("nobody acts as the other", async () => {
  for (const [own, other] of both) {
    const response = await fetch(`${BASE_URL}/api/sources`, { headers: { ...headers(own.token), "X-Behalf-Act-As": other.id } });
    assert.equal(response.status, 403);
  }
});

finish();
