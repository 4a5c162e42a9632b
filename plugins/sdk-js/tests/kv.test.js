import assert from "node:assert/strict";
import { test } from "node:test";

import { DatabaseError, ToolError, commit, defineTool, execute, kv, scope } from "../src/index.js";
import { ALICE, BOB, MockHost } from "../src/testing.js";

/** A tool that does `call`. */
const tool = (call) => defineTool({ name: "my_tool", description: "Does it.", input: { type: "object" }, call });

const count = tool(({ fails }) => {
  const counted = kv.update("count", (old = 0) => old + 1);
  if (fails) throw new ToolError("as told");
  return counted;
});

test("each user has a store unless callers share one", () => {
  const use = tool(() => {
    kv.set("a/2", "zwei");
    kv.set("b", [1, null]);
    const found = [kv.get("a/1"), kv.keys("a/"), kv.keys("", { after: "a/1", limit: 1 }), kv.get("c") === undefined];
    return [...found, kv.remove("b"), kv.remove("b")];
  });
  const host = new MockHost().stores("a/1", { n: 1 });
  assert.deepEqual(host.call(use), [{ n: 1 }, ["a/1", "a/2"], ["a/2"], true, true, false]);
  assert.deepEqual(host.kv(), { "a/1": { n: 1 }, "a/2": "zwei" });
  assert.deepEqual(new MockHost({ subject: BOB }).kv(), {});
  const nobody = () => new MockHost({ subject: null, role: "anon" });
  assert.throws(() => nobody().call(count), { code: "denied" });
  const shared = nobody().sharesKv();
  assert.equal(shared.call(count), 1);
  assert.deepEqual(shared.kv(), { count: 1 });
});

test("keys are in the order of their bytes", () => {
  const host = new MockHost().stores("\u{10000}", 1).stores("\uffff", 2).stores("a", 3);
  assert.deepEqual(host.call(tool(() => kv.keys())), ["a", "\uffff", "\u{10000}"]);
});

test("what is written goes with its call", () => {
  const host = new MockHost({ subject: ALICE });
  assert.equal(host.call(count), 1);
  assert.throws(() => host.call(count, { fails: true }), { message: "as told" });
  assert.deepEqual(host.kv(), { count: 1 });
  assert.equal(host.call(count), 2);
});

test("what is written goes with its scope", () => {
  const scoped = tool(({ fails }) => {
    const work = () => {
      kv.set("a", 1);
      scope(() => kv.set("b", 1));
      if (fails) throw new Error("as told");
    };
    try {
      scope(work);
    } catch {
      // What it wrote is undone.
    }
    return kv.keys();
  });
  assert.deepEqual(new MockHost().call(scoped, { fails: true }), []);
  assert.deepEqual(new MockHost().call(scoped, { fails: false }), ["a", "b"]);
});

test("a failed statement ends the store too", () => {
  const write = tool(() => {
    kv.set("first", 1);
    commit();
    kv.set("second", 1);
    try {
      execute("delete from a");
    } catch {
      kv.set("third", 1);
    }
    return true;
  });
  const host = new MockHost().on("delete", new DatabaseError("constraint", "No."));
  assert.throws(() => host.call(write), { code: "failed", message: /earlier statement/ });
  assert.deepEqual(host.kv(), { first: 1 });
});

test("what the host refuses is refused", () => {
  const set = tool(({ key, value }) => kv.set(key, value) ?? null);
  for (const given of [{ key: "" }, { key: "x".repeat(257) }, { key: "a\0" }, { key: "a" }, { key: "a", value: "x".repeat(65_536) }]) {
    assert.throws(() => new MockHost().call(set, { value: given.key === "a" ? undefined : 1, ...given }), { code: "invalid_arguments" });
  }
  assert.throws(() => new MockHost().failsKv("limit", "The store is full.").call(count), { code: "failed", message: "The store is full." });
});
