import assert from "node:assert/strict";
import { call, get, ok, post } from "../app.ts";
import { alice, bob, both, denied, finish, isNone, isOwn, MODELS, refused, step, type Person } from "../walk.ts";
import { ask, keepAttachment, newDesk, uploadDocument, type Desk } from "./cookbook.ts";
import { documentOf, pictureOf, QUESTION, reachesNoFile, reachesNoPlatformBucket, reachesNoSource } from "./files.ts";

const sources = new Map<Person, string[]>([[alice, []], [bob, []]]);
const desks = new Map<Person, Desk>();

for (const model of MODELS) {
  await step(`each user asks about a document that was uploaded for them, with ${model}`, async () => {
    for (const [own, other] of both) {
      const desk = await newDesk(own, model);
      desks.set(own, desk);
      sources.get(own)!.push(await uploadDocument(documentOf(own, `red, says ${model}`), own, desk));
      const run = await ask(desk, QUESTION);
      assert.equal(run.status, "completed");
      isOwn(run.content, own, other);
      isOwn(run.retrieved_items, own, other);
    }
  });

  await step(`nobody reaches the other's runs, base and agent, with ${model}`, async () => {
    for (const [own, other] of both) {
      const { knowledgeBase, agent } = desks.get(other)!;
      const base = `/api/knowledge-bases/${knowledgeBase}`;
      for (const path of ["", "/sources", "/available-sources"]) await refused([404], get(base + path, own.token));
      await refused([404], post(`${base}/search`, own.token, { query: QUESTION }));
      await refused([404], post(`${base}/items`, own.token, { source_ids: sources.get(other) }));
      await refused([404], post(`${base}/sources`, own.token, { source_id: sources.get(own)![0] }));
      await refused([404], post(`${base}/reindex`, own.token, {}));
      await refused([404], call("PATCH", base, own.token, { name: "mine" }));
      await refused([404], call("DELETE", base, own.token));
      // Who knows the other's agent may ask it, and it finds what the asker may read: nothing.
      const run = await post(`/api/agents/${agent}/run`, own.token, { message: QUESTION });
      isNone(run, other);
      assert.deepEqual(run.retrieved_items, []);
    }
  });
}

await step("nobody reaches the other's sources", async () => {
  for (const [own, other] of both) {
    for (const source of sources.get(other)!) await reachesNoSource(own, other, source);
    const rows = await ok(own.supabase.from("documents").select("source_id"));
    assert.deepEqual(rows.map((row) => row.source_id).sort(), [...sources.get(own)!].sort());
  }
});

await step("nobody claims a source of the other's", async () => {
  for (const [own, other] of both) {
    const claim = { source_id: sources.get(other)![0], owner_id: own.id };
    await denied("42501", own.supabase.from("documents").insert(claim));
  }
});

await step("each user keeps files of their own", async () => {
  const paths = new Map<Person, string>();
  for (const [own] of both) paths.set(own, await keepAttachment(pictureOf(own), own));
  for (const [own, other] of both) {
    const bucket = own.supabase.storage.from("attachments");
    isOwn(await (await ok(bucket.download(paths.get(own)!))).text(), own, other);
    await reachesNoFile(own, other, paths.get(other)!);
  }
});

await step("the platform's own bucket is out of reach", async () => {
  for (const [own, other] of both) await reachesNoPlatformBucket(own, sources.get(other)![0]!);
});

await step("a file that the back end has already is no second source", async () => {
  const again = documentOf(alice, `red, says ${MODELS[0]}`);
  const refusal = await refused([409], uploadDocument(again, bob, desks.get(bob)!));
  assert.deepEqual([refusal.error, refusal.id, refusal.duplicate.id], ["duplicate_source", undefined, sources.get(alice)![0]]);
});

finish();
