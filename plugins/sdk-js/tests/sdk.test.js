import assert from "node:assert/strict";
import { test } from "node:test";

import {
  DatabaseError,
  ToolError,
  commit,
  defineTool,
  describe,
  execute,
  exportTools,
  json,
  likeLiteral,
  memory,
  query,
  queryOne,
  scope,
  search,
  storage,
  vector,
} from "../src/index.js";
import { compact, withSources } from "../src/source-map.js";
import { ALICE, BOB, MockHost, denied } from "../src/testing.js";
import { run } from "../src/tool.js";
import { fromWire, toWire } from "../src/values.js";

/** A tool that does `call`. */
const tool = (call) => defineTool({ name: "my_tool", description: "Does it.", input: { type: "object" }, call });

test("the definition says what was given, and hints follow", () => {
  const { definition } = defineTool({
    name: "my_tool",
    description: "Does it.",
    input: { type: "object", properties: { a: { type: "string" } } },
    output: { type: "string" },
    readOnly: true,
    call: () => "",
  });
  const $schema = "https://json-schema.org/draft/2020-12/schema";
  assert.deepEqual(definition, {
    name: "my_tool",
    title: "My tool",
    description: "Does it.",
    inputSchema: { $schema, additionalProperties: false, type: "object", properties: { a: { type: "string" } } },
    outputSchema: { $schema, type: "string" },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  });
  assert.equal(tool(() => 1).definition.annotations.destructiveHint, true);
});

test("what is no tool is refused", () => {
  const given = { name: "x", description: "x", input: { type: "object" }, call: () => 1 };
  assert.throws(() => defineTool({ ...given, name: "X-1" }), /not a tool name/);
  assert.throws(() => defineTool({ ...given, description: " " }), /no description/);
  assert.throws(() => defineTool({ ...given, input: { type: "string" } }), /object's schema/);
  assert.throws(() => exportTools(), /one tool or more/);
  assert.throws(() => exportTools(defineTool(given), defineTool(given)), /another name/);
});

test("parameters become what the host takes", () => {
  for (const [value, expected] of [
    [null, { tag: "null" }],
    [undefined, { tag: "null" }],
    [true, { tag: "boolean", val: true }],
    [5, { tag: "integer", val: 5 }],
    [0.5, { tag: "float", val: 0.5 }],
    [2 ** 60, { tag: "float", val: 2 ** 60 }],
    [5n, { tag: "integer", val: 5 }],
    [2n ** 60n + 1n, { tag: "text", val: "1152921504606846977" }],
    ["x", { tag: "text", val: "x" }],
    [new Date(0), { tag: "text", val: "1970-01-01T00:00:00.000Z" }],
    [{ a: [1, null] }, { tag: "text", val: '{"a":[1,null]}' }],
    [[1, null, 'a "b" \\'], { tag: "text", val: '[1,null,"a \\"b\\" \\\\"]' }],
    [[[true], [new Uint8Array([255])]], { tag: "text", val: '[[true],["\\\\xff"]]' }],
    [[{ a: [1] }, json("x"), new Date(0), 2n ** 60n + 1n], { tag: "text", val: '[{"a":[1]},"x","1970-01-01T00:00:00.000Z","1152921504606846977"]' }],
    [[NaN, -Infinity, undefined, vector([1, 2.5])], { tag: "text", val: '["NaN","-Infinity",null,[1,2.5]]' }],
    [[], { tag: "text", val: "[]" }],
    [json([1]), { tag: "text", val: "[1]" }],
    [vector([1, 2.5]), { tag: "vector", val: [1, 2.5] }],
    [new Float32Array([0.5]), { tag: "vector", val: [0.5] }],
  ]) {
    assert.deepEqual(toWire(value), expected);
  }
  assert.throws(() => toWire(() => 1), /a function cannot be a parameter/);
});

test("rows arrive by their columns' types", () => {
  const row = {
    id: 1,
    amount: "1.10",
    data: { a: 1 },
    labels: ["x", null],
    raw: new Uint8Array([0, 255]),
    embedding: new Float32Array([0.5]),
    nothing: null,
  };
  const host = new MockHost().on("select", [row], { truncated: true });
  const seen = host.call(tool(() => ({ rows: query("select"), cut: query("select").truncated })));
  assert.deepEqual(seen, { rows: [{ ...row, raw: "\\x00ff", embedding: [0.5] }], cut: true });
});

test("an integer is never rounded in silence", () => {
  // What the bindings make of 2^53 + 1.
  const host = new MockHost().on("select array", [{ large: [1, 2 ** 53] }], { types: { large: "_int8" } });
  const [column, exact] = [{ name: "large", typeName: "int8" }, 2 ** 53 - 1];
  assert.equal(fromWire({ tag: "integer", val: exact }, column), exact);
  assert.throws(() => fromWire({ tag: "integer", val: exact + 1 }, column), /The column large holds/);
  assert.throws(() => host.call(tool(() => query("select array"))), /The column large holds a number that JavaScript would round/);
});

test("a number in JSON is never rounded in silence", () => {
  const column = { name: "meta", typeName: "jsonb" };
  const read = (val) => fromWire({ tag: "text", val }, column);
  for (const kept of ['{"a": [1, 0.1, 1e3, -2.50, 9007199254740991]}', "0.10000000000000001", '"12345678901234567.89"', "1.7976931348623157e308"]) {
    assert.deepEqual(read(kept), JSON.parse(kept));
  }
  for (const rounded of ["12345678901234567.89", "9007199254740993", "1e309", '{"a": {"b": [18446744073709551616]}}', "9007199254740993.0"]) {
    assert.throws(() => read(rounded), /The column meta holds a number that JavaScript would round/, rounded);
  }
  const call = (given) => run(new Map([["one", tool(({ a }) => a)]]), "one", given);
  assert.equal(call('{"a": 9007199254740991}'), "9007199254740991");
  assert.throws(() => call('{"a": 9007199254740993}'), { code: "invalid_arguments", message: /9007199254740993, which JavaScript would round/ });
});

test("results lose no digit", () => {
  const given = { a: 5n, b: 2n ** 60n + 1n, c: new Uint8Array([1]) };
  assert.deepEqual(new MockHost().call(tool(() => given)), { a: 5, b: "1152921504606846977", c: "\\x01" });
  assert.throws(() => new MockHost().call(tool(() => NaN)), { code: "failed" });
});

test("one row is one row", () => {
  const one = tool(() => queryOne("select"));
  assert.equal(new MockHost().on("select", []).call(one), null);
  assert.throws(() => new MockHost().on("select", [{ a: 1 }, { a: 2 }]).call(one), /several/);
});

test("objects are listed by pages and read as they were written", () => {
  const host = new MockHost().puts("files", "a/1", "one").puts("files", "a/2", "two").puts("other", "a/3", "three");
  const seen = host.call(
    tool(() => {
      const first = storage.list("files", "a/", { limit: 1 });
      const second = storage.list("files", "a/", { limit: 1, cursor: first.next });
      storage.write("files", "a/1", "é", { contentType: "text/csv" });
      storage.remove("files", "a/2");
      const codes = [
        () => storage.write("files", "a/1", "", { upsert: false }),
        () => storage.read("files", "a/2"),
        () => storage.read("files", "a/1", { maxBytes: 1 }),
      ].map((attempt) => {
        try {
          return attempt();
        } catch (error) {
          return error.code;
        }
      });
      return { first, next: second.next, text: storage.readText("files", "a/1"), codes, url: storage.signedUrl("files", "a/1", 60) };
    }),
  );
  assert.deepEqual(seen, {
    first: { objects: [{ name: "a/1", size: 3, contentType: "text/plain", updatedAt: "2026-01-01T00:00:00Z" }], next: "a/1" },
    next: null,
    text: "é",
    codes: ["exists", "not_found", "too_large"],
    url: "https://files.test/files/a/1?seconds=60",
  });
  assert.equal(host.object("files", "a/1").contentType, "text/csv");
  host.failsStorage("denied", "The file is not yours.");
  assert.throws(() => host.call(tool(() => storage.remove("files", "a/1"))), { code: "denied", message: "The file is not yours." });
});

test("writing, committing, describing and searching reach the host", () => {
  const host = new MockHost().on("delete", 2).describes([{ schema: "public", name: "notes" }]);
  host.finds({ chunk: "c", source: "s", text: "t", score: 1, meta: { a: 1 } });
  const seen = host.call(
    tool(() => {
      const deleted = execute("delete from notes where id = $1", "x");
      commit();
      return { deleted, tables: describe("public"), none: describe("other"), found: search("t") };
    }),
  );
  assert.deepEqual([seen.deleted, seen.tables.length, seen.none.length, seen.found[0].meta], [2, 1, 0, { a: 1 }]);
  assert.deepEqual([host.commits, host.statements[0].params], [1, ["x"]]);
});

test("a scope is kept or undone, and the call goes on", () => {
  const host = new MockHost().on("delete", 1).on("insert", denied());
  const seen = host.call(
    tool(() => {
      const kept = scope(() => execute("delete"));
      assert.throws(() => scope(() => execute("insert")), { code: "forbidden" });
      assert.throws(() => scope(async () => 1), /must not be async/);
      const hidden = () => {
        for (const sql of ["insert", "delete"]) assert.throws(() => execute(sql), DatabaseError);
      };
      assert.throws(() => scope(hidden), { code: "aborted" });
      return [kept, execute("delete")];
    }),
  );
  assert.deepEqual([seen, host.scopes], [[1, 1], [true, false, false, false]]);
});

test("scopes are inside each other", () => {
  const nested = (depth) => (depth === 0 ? 0 : scope(() => nested(depth - 1)) + 1);
  const host = new MockHost();
  host.call(
    tool(() => {
      assert.equal(nested(8), 8);
      assert.throws(() => nested(9), { code: "limit" });
      assert.throws(() => scope(commit), { code: "invalid" });
    }),
  );
  assert.equal(host.commits, 0);
});

test("the context says who and what", () => {
  const host = new MockHost({ subject: BOB, claims: { org: "x" }, settings: { a: 1 }, remainingMs: 7 });
  const seen = host.call(
    tool((_, { caller, settings, remainingMs, progress: _progress, call, ...rest }) => ({ caller, settings, remainingMs, call, rest })),
  );
  assert.deepEqual(seen.caller, { subject: BOB, role: "authenticated", claims: { org: "x" } });
  assert.deepEqual([seen.settings, seen.remainingMs], [{ a: 1 }, 7]);
  host.call(tool((_, context) => context.progress(1, 2, "Half")));
  assert.deepEqual(host.progress, [{ done: 1, total: 2, message: "Half" }]);
});

test("an error that nobody foresaw keeps its text to the log", () => {
  const host = new MockHost();
  const broken = tool(() => {
    throw new RangeError("swordfish");
  });
  assert.throws(() => host.call(broken), {
    code: "failed",
    message: "The tool my_tool failed: RangeError. Its log says where.",
  });
  assert.equal(host.logs.length, 1);
  assert.equal(host.logs[0].level, "error");
  assert.match(host.logs[0].message, /swordfish/);
});

test("half a character can leave", () => {
  assert.deepEqual(toWire("a\ud800b"), { tag: "text", val: "a\ufffdb" });
  assert.deepEqual(new MockHost().call(tool(() => ["a\ud800b"])), ["a\ufffdb"]);
  const failing = exportTools(
    tool(() => {
      throw new ToolError("a\ud800b", { code: 5 });
    }),
  );
  assert.throws(() => failing.call("my_tool", "{}"), { code: "5", message: "a\ufffdb", retryable: false });
});

test("progress is whole numbers", () => {
  const host = new MockHost();
  host.call(tool((_, context) => context.progress(-1, 2.5)));
  assert.deepEqual(host.progress, [{ done: 0, total: 2, message: null }]);
});

test("what is no object, or nests without end, is an error and never reaches the tool", () => {
  const exported = exportTools(tool(() => assert.fail("it was called")));
  const nested = `${'{"a": ['.repeat(200)}${"]}".repeat(200)}`;
  for (const given of ["", "{", "null", "7", "[]", '"{}"', nested, "[".repeat(100_000)]) {
    const invalid = (error) => error.code === "invalid_arguments" && /are not|nest more/.test(error.message);
    assert.throws(() => exported.call("my_tool", given), invalid, given.slice(0, 20));
  }
  const quoted = JSON.stringify({ text: "[".repeat(500) });
  const echo = exportTools(tool(({ text }) => text.length));
  assert.equal(echo.call("my_tool", quoted), "500");
});

test("a database's error becomes the tool's, unless it is caught", () => {
  const ask = tool(() => query("select"));
  for (const [error, code, retryable] of [
    [denied(), "denied", false],
    [new DatabaseError("invalid", "No date.", { sqlstate: "22007" }), "invalid_arguments", false],
    [new DatabaseError("invalid", "No such column.", { sqlstate: "42703" }), "failed", false],
    [new DatabaseError("timeout", "Too slow.", { retryable: true }), "failed", true],
    [new DatabaseError("toString", "?"), "failed", false],
  ]) {
    assert.throws(() => new MockHost().on("select", error).call(ask), { code, retryable, message: error.message });
  }
  const careful = (ask) =>
    tool(() => {
      try {
        return ask();
      } catch (error) {
        return error instanceof DatabaseError ? error.sqlstate : "other";
      }
    });
  const scoped = careful(() => scope(() => query("select")));
  assert.equal(new MockHost().on("select", denied()).call(scoped), "42501");
  // Outside of a scope it ends the call, whatever the tool makes of it; unless nothing reached the database.
  const unscoped = careful(() => query("select"));
  const told = { code: "commit_failed", message: /went on without it: permission denied/ };
  assert.throws(() => new MockHost().on("select", denied()).call(unscoped), told);
  const refused = new DatabaseError("refused", "Not allowed.", { sqlstate: "none" });
  assert.equal(new MockHost().on("select", refused).call(unscoped), "none");
});

test("a component's exports answer as the interface asks", () => {
  const exported = exportTools(
    tool(({ fail }) => {
      if (fail) throw new ToolError("No entry.", { code: "denied", retryable: true });
      return { ok: true };
    }),
  );
  assert.equal(JSON.parse(exported.definitions())[0].name, "my_tool");
  assert.equal(exported.call("my_tool", "{}"), '{"ok":true}');
  assert.throws(() => exported.call("my_tool", '{"fail":true}'), { code: "denied", message: "No entry.", retryable: true });
  assert.throws(() => exported.call("other", "{}"), { code: "invalid_arguments" });
});

test("a statement that the test does not foresee fails the test", () => {
  assert.throws(() => new MockHost().call(tool(() => query("select 1"))), { name: "Unforeseen" });
});

test("a pattern's signs can be meant literally", () => {
  assert.equal(likeLiteral("100%_\\"), "100\\%\\_\\\\");
});

test("a search finds the documents of its caller alone", () => {
  const find = defineTool({
    name: "find",
    description: "Finds.",
    input: { type: "object", properties: { base: { type: "string" } }, additionalProperties: false },
    call({ base }) {
      return search("days of leave", base === undefined ? {} : { knowledge_bases: [base] }).map(({ text }) => text);
    },
  });
  const filled = (subject) =>
    new MockHost({ subject })
      .putsDocument(ALICE, "Handbook", "tea.md", "Tea is free.")
      .putsDocument(ALICE, "Handbook", "leave.md", "Leave is 30 days.")
      .putsDocument(BOB, "Plans", "b.md", "Bob's leave.");
  assert.deepEqual(filled(ALICE).call(find), ["Leave is 30 days.", "Tea is free."]);
  assert.deepEqual(filled(BOB).call(find), ["Bob's leave."]);
  assert.deepEqual(filled(null).call(find), []);
  assert.throws(() => filled(ALICE).call(find, { base: "Plans" }), { code: "denied" });
  assert.throws(() => filled(ALICE).failsKnowledge("unavailable", "Not now.").call(find), { code: "failed", message: "Not now." });
});

test("what is remembered is the user's alone", () => {
  const keep = defineTool({
    name: "keep",
    description: "Keeps.",
    input: { type: "object", additionalProperties: false },
    call() {
      const id = memory.remember("Works at night.", { about: "work" });
      const found = memory.recall("what tea", { topK: 1 }).map(({ text }) => text);
      const [{ meta }] = memory.recall();
      return { found, meta, forgotten: [memory.forget(id), memory.forget(id)] };
    },
  });
  const host = new MockHost().remembers("Drinks tea.");
  assert.deepEqual(host.call(keep), { found: ["Drinks tea."], meta: { about: "work" }, forgotten: [true, false] });
  assert.deepEqual(host.memories(), ["Drinks tea."]);
  assert.throws(() => new MockHost({ subject: null, role: "anon" }).call(keep), { code: "denied" });
  assert.throws(() => new MockHost().failsMemory("limit", "Too many.").call(keep), { code: "failed" });
});

test("a stack names the author's files and lines", () => {
  // Three lines: a tool's first line, its second with two segments from different lines, and a package's.
  const whole = { sources: ["src/tool.ts", "node_modules/one/index.js"], mappings: "AAAA;AACA,SACE;ACFF,IAAI" };
  const stack = (line, column) => `at f (componentize-qjs:user.js:${line}:${column})`;
  const small = compact(whole);
  for (const map of [whole, small]) {
    assert.equal(withSources(stack(1, 5), map), "at f (src/tool.ts:1)");
    assert.equal(withSources(stack(2, 9), map), "at f (src/tool.ts:2)");
    assert.equal(withSources(stack(2, 10), map), "at f (src/tool.ts:3)");
    assert.equal(withSources(`${stack(3, 9)}\n${stack(1, 1)}`, map), "at f (node_modules/one/index.js:1)\nat f (src/tool.ts:1)");
    // What the map does not know stays, and so does what is not of the bundle.
    assert.equal(withSources(stack(9, 1), map), stack(9, 1));
    assert.equal(withSources("at f (native)", map), "at f (native)");
  }
  assert.ok(small.mappings.length < whole.mappings.length, "what a stack does not need is left out");
  assert.equal(withSources(stack(1, 1), undefined), stack(1, 1));
});
