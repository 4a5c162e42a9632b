// Files of two users, and what neither may do with the other's, for the walks of this recipe.
import assert from "node:assert/strict";
import { admin, ANON_KEY, BASE_URL, call, get, headers, ok, post } from "../app.ts";
import { ANYBODY, isNone, refused, rowsOf, type Person } from "../walk.ts";

export const QUESTION = "Which colour has the anchor of the boat?";

export function documentOf(person: Person, more: string): File {
  const text = `# Boat\n\nThe anchor of the boat is ${more}. Its berth is ${person.canary}.\n`;
  return new File([text], "boat.md", { type: "text/markdown" });
}

export function pictureOf(person: Person): File {
  return new File([`GIF89a ${person.canary}`], "boat.gif", { type: "image/gif" });
}

/** Nobody reads or changes a source of the other's. */
export async function reachesNoSource(own: Person, other: Person, source: string): Promise<void> {
  const of = `/api/sources/${source}`;
  for (const path of ["", "/page-texts", "/page-texts?page=1", "/download", "/events", "/derivatives/markdown/download"]) {
    await refused([404], get(of + path, own.token));
  }
  for (const path of ["/download-url", "/cancel", "/reextract"]) await refused([404], post(of + path, own.token, {}));
  await refused([404], call("PATCH", of, own.token, { name: "mine" }));
  await refused([404], call("DELETE", of, own.token));
  for (const path of ["", "?q=boat", "?status=extracted"]) {
    const list = await get(`/api/sources${path}`, own.token);
    assert.ok(!JSON.stringify(list).includes(source));
  }
  for (const table of ["sources", "source_pages", "chunks"]) isNone(await rowsOf(own, "ai", table), other);
  for (const token of ANYBODY) await refused([401, 403], get(of, token));
}

/** Nobody reads, writes, moves or signs a file of the other's, by any request of the storage. */
export async function reachesNoFile(own: Person, other: Person, path: string): Promise<void> {
  const bucket = own.supabase.storage.from("attachments");
  const mine = `${own.id}/taken.gif`;
  assert.ok((await bucket.download(path)).error);
  assert.ok((await bucket.createSignedUrl(path, 60)).error);
  assert.equal((await bucket.exists(path)).data, false);
  assert.ok((await bucket.info(path)).error);
  for (const folder of [other.id, `${other.id}/`]) assert.deepEqual(await ok(bucket.list(folder)), []);
  assert.deepEqual((await ok(bucket.list(""))).map((folder) => folder.name), [own.id]);
  const forged = new Blob(["forged"], { type: "image/gif" });
  assert.ok((await bucket.upload(path, forged)).error);
  assert.ok((await bucket.upload(path, forged, { upsert: true })).error);
  assert.ok((await bucket.update(path, forged)).error);
  assert.ok((await bucket.upload(`${own.id}/../${other.id}/forged.gif`, forged)).error);
  assert.ok((await bucket.move(path, mine)).error);
  assert.ok((await bucket.copy(path, mine)).error);
  assert.ok((await bucket.createSignedUploadUrl(path)).error);
  assert.deepEqual(await ok(bucket.remove([path])), []);
  for (const key of [own.token, ANON_KEY]) {
    for (const way of ["authenticated/", "public/", ""]) {
      const answer = await fetch(`${BASE_URL}/storage/v1/object/${way}attachments/${path}`, { headers: headers(key) });
      assert.ok(answer.status >= 400, `${way}: ${answer.status}`);
      isNone(await answer.text(), other);
    }
  }
  isNone(await rowsOf(own, "storage", "objects"), other);
  // It is there as it was, and nothing else is.
  const theirs = other.supabase.storage.from("attachments");
  assert.ok((await (await ok(theirs.download(path))).text()).includes(other.canary));
  assert.ok(!JSON.stringify(await ok(theirs.list(other.id))).includes("forged"));
}

/** The bucket in which the platform keeps documents does not exist for anybody. */
export async function reachesNoPlatformBucket(own: Person, source: string): Promise<void> {
  for (const client of [own.supabase, admin]) {
    const bucket = client.storage.from("sources");
    assert.ok((await bucket.download(`${source}/original/boat.md`)).error);
    assert.ok((await bucket.upload("x.md", new Blob(["x"]))).error);
    const { data, error } = await bucket.list("");
    assert.ok(error || data.length === 0);
    assert.ok((await client.storage.createBucket("sources")).error);
  }
}
