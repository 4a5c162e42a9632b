import assert from "node:assert/strict";
import { admin, ANON_KEY, BASE_URL, call, get, headers, ok, post } from "../app.ts";
import { alice, bob, both, changesNone, denied, finish, isNone, isOwn, MODELS, refused, rowsOf, step, type Person } from "../walk.ts";
import { addDocument, askAgent, newAgent, newKnowledgeBase, retrieveContext, retrieveWithClient } from "./cookbook.ts";
import { changesNothing, documentOf, everyWay, nobodyIsTold, QUESTION, saysNothing } from "./ways.ts";

const base = await newKnowledgeBase();
const sources = new Map<Person, string>();

await step("the back end adds a document of each user", async () => {
  sources.set(alice, await addDocument(base, alice, documentOf(alice, "red")));
  sources.set(bob, await addDocument(base, bob, documentOf(bob, "blue")));
});

await step("each user reads the chunks of their own documents", async () => {
  for (const [own, other] of both) {
    for (const chunks of [await retrieveContext(base, own.token), await retrieveWithClient(base, own)]) {
      assert.deepEqual(Object.keys(chunks[0]!), ["id", "text", "score", "source_id", "meta"]);
      assert.ok(chunks.every((chunk) => chunk.source_id === sources.get(own)));
      isOwn(chunks, own, other);
    }
    const [best] = await retrieveContext(base, own.token, QUESTION);
    assert.ok(best!.score > 0, JSON.stringify(best));
  }
});

await step("every way to a chunk tells the same", async () => {
  for (const [own, other] of both) {
    for (const [, told] of await everyWay(own, base)) isOwn(told, own, other);
  }
});

await step("nothing says anything of the other's document", async () => {
  for (const [own, other] of both) {
    await saysNothing(own, other, sources.get(other)!, base);
    const documents = await ok(own.supabase.from("documents").select("source_id"));
    assert.deepEqual(documents, [{ source_id: sources.get(own) }]);
  }
});

await step("nobody changes what the other has, or takes it over", async () => {
  for (const [own, other] of both) {
    await changesNothing(own, sources.get(other)!, base);
    const claimed = { source_id: sources.get(other), owner_id: own.id };
    await denied("42501", own.supabase.from("documents").insert(claimed));
    await changesNone(own.supabase.from("documents").update(claimed).eq("owner_id", other.id).select());
  }
});

await step("who has not signed in is told nothing", async () => {
  await nobodyIsTold(base, sources.get(alice)!);
  const response = await fetch(`${BASE_URL}/rest/v1/chunks?select=text`, { headers: { ...headers(ANON_KEY), "Accept-Profile": "ai" } });
  const text = await response.text();
  isNone(text, alice);
  isNone(text, bob);
});

for (const model of MODELS) {
  const agent = await newAgent(model);
  const runs: [Person, any][] = [];

  await step(`the agent is told the user's chunks alone, with ${model}`, async () => {
    for (const [own, other] of both) {
      const run = await askAgent(agent, QUESTION, await retrieveContext(base, own.token));
      assert.equal(run.status, "completed");
      isOwn(run.content, own, other);
      isOwn(run.retrieved_items, own, other);
      assert.equal(run.retrieved_items[0].source_id, sources.get(own));
      runs.push([own, run]);
    }
  });

  await step(`no user reaches the runs of the back end, with ${model}`, async () => {
    for (const user of [alice, bob]) {
      for (const [, { run_id, session_id }] of runs) {
        await refused([404], get(`/api/agents/runs/${run_id}`, user.token));
        await refused([404], get(`/api/agents/runs/${run_id}/events`, user.token));
        for (const path of ["", "/messages", "/runs", `/runs/${run_id}/retrieved-context`]) {
          await refused([404], get(`/api/sessions/${session_id}${path}`, user.token));
        }
        await refused([404], call("DELETE", `/api/sessions/${session_id}`, user.token));
        await refused([404], post(`/api/agents/${agent}/run`, user.token, { message: "Go on.", session_id }));
      }
    }
  });
}

await step("a document that is given away is read by who has it now", async () => {
  const given = sources.get(bob)!;
  await ok(admin.from("documents").update({ owner_id: alice.id }).eq("source_id", given).select());
  const hers = JSON.stringify(await retrieveContext(base, alice.token));
  assert.ok(hers.includes(alice.canary) && hers.includes(bob.canary), hers);
  assert.deepEqual(await retrieveContext(base, bob.token), []);
  isNone(await rowsOf(bob, "ai", "chunks"), alice);
  isNone(await rowsOf(bob, "ai", "chunks"), bob);
  await refused([404], post(`/api/knowledge-bases/${base}/search`, bob.token, { query: QUESTION }));
});

finish();
