import assert from "node:assert/strict";
import { call, get, post } from "../app.ts";
import { alice, bob, both, finish, isNone, isOwn, MODELS, refused, step, type Person } from "../walk.ts";
import { keepAttachment } from "./cookbook.ts";
import { addressOf, ask, setUp, uploadDocument } from "./direct.ts";
import { documentOf, pictureOf, QUESTION, reachesNoFile, reachesNoPlatformBucket, reachesNoSource } from "./files.ts";

const sources = new Map<Person, string[]>([[alice, []], [bob, []]]);

const agents: string[] = [];

for (const model of MODELS) {
  const { knowledgeBase, agent } = await setUp(model);
  agents.push(agent);

  await step(`each user asks about documents of their own, with ${model}`, async () => {
    for (const [own] of both) {
      const seen: string[] = [];
      const file = documentOf(own, `red, says ${model}`);
      sources.get(own)!.push(await uploadDocument(file, own, knowledgeBase, (status) => seen.push(status)));
      assert.equal(seen.at(-1), "extracted");
    }
    for (const [own, other] of both) {
      const run = await ask(agent, QUESTION, own);
      assert.equal(run.status, "completed");
      isOwn(run.content, own, other);
      isOwn(run.retrieved_items, own, other);
    }
  });

  await step(`nobody reaches what the other has in the base, with ${model}`, async () => {
    for (const [own, other] of both) {
      const base = `/api/knowledge-bases/${knowledgeBase}`;
      const found = await post(`${base}/search`, own.token, { query: QUESTION, top_k: 100 });
      isOwn(found, own, other);
      const listed = await get(`${base}/sources`, own.token);
      assert.deepEqual(listed.items.map((item: { source_id: string }) => item.source_id), [sources.get(own)!.at(-1)]);
      const { items } = await post(`${base}/items`, own.token, { source_ids: sources.get(other) });
      assert.deepEqual(items, []);
      await refused([404], post(`${base}/sources`, own.token, { source_id: sources.get(other)!.at(-1) }));
      await refused([404], call("PATCH", base, own.token, { name: "mine" }));
      await refused([404], call("DELETE", base, own.token));
      const theirs = await get(`${base}/sources`, other.token);
      const path = `${base}/sources/${theirs.items[0].id}`;
      for (const method of ["GET", "DELETE"]) await refused([404], call(method, path, own.token));
      await refused([404], post(`${path}/cancel`, own.token, {}));
      await refused([404], get(`${base}/indexed-sources/${theirs.items[0].id}/chunks`, own.token));
    }
  });
}

await step("nobody reaches the other's sources", async () => {
  for (const [own, other] of both) {
    for (const source of sources.get(other)!) await reachesNoSource(own, other, source);
  }
});

await step("the same file of two users is two sources", async () => {
  const { knowledgeBase } = await setUp(`${MODELS[0]}`);
  const same = () => new File(["# Tides\n\nHigh water is at noon.\n"], "tides.md", { type: "text/markdown" });
  const hers = await uploadDocument(same(), alice, knowledgeBase, () => {});
  const his = await uploadDocument(same(), bob, knowledgeBase, () => {});
  assert.notEqual(hers, his);
  const refusal = await refused([409], uploadDocument(same(), bob, knowledgeBase, () => {}));
  assert.equal(refusal.duplicate.id, his);
  await reachesNoSource(bob, alice, hers);
});

await step("a document is shown by an address of its own", async () => {
  for (const [own, other] of both) {
    const [source] = sources.get(own)!;
    const answer = await fetch(await addressOf(source!, own));
    assert.equal(answer.status, 200);
    isOwn(await answer.text(), own, other);
    await refused([404], addressOf(source!, other));
    isNone(await get(`/api/sources/${source}`, own.token), other);
  }
});

await step("each user keeps files of their own", async () => {
  const paths = new Map<Person, string>();
  for (const [own] of both) paths.set(own, await keepAttachment(pictureOf(own), own));
  for (const [own, other] of both) await reachesNoFile(own, other, paths.get(other)!);
});

await step("the platform's own bucket is out of reach", async () => {
  for (const [own, other] of both) await reachesNoPlatformBucket(own, sources.get(other)![0]!);
});

await step("a document that its owner deletes is in no answer any more", async () => {
  for (const source of sources.get(alice)!) await call("DELETE", `/api/sources/${source}`, alice.token);
  for (const agent of agents) {
    isNone(await ask(agent, QUESTION, alice), alice);
    isOwn(await ask(agent, QUESTION, bob), bob, alice);
  }
  for (const source of sources.get(alice)!) await refused([404], get(`/api/sources/${source}`, alice.token));
  for (const source of sources.get(bob)!) await get(`/api/sources/${source}`, bob.token);
});

finish();
