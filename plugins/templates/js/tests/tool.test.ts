import assert from "node:assert/strict";
import { test } from "node:test";

import { MockHost } from "behalf-sdk/testing";

import { myTool } from "../src/tool.js";

const note = (number: number) => ({
  id: `00000000-0000-4000-8000-00000000000${number}`,
  title: `Note ${number}`,
  created_at: `2026-04-0${number}T10:00:00+00:00`,
});

test("notes are found", () => {
  const host = new MockHost().on("from public.notes", [note(2), note(1)]);
  assert.deepEqual(host.call(myTool, { search: "note" }), { notes: [note(2), note(1)], truncated: false });
});

test("what was typed is no pattern", () => {
  const host = new MockHost().on("from public.notes", []);
  host.call(myTool, { search: "100%_" });
  assert.deepEqual(host.statements[0]?.params, ["%100\\%\\_%", 11]);
});

test("more notes than the limit are cut off", () => {
  const host = new MockHost().on("from public.notes", [note(2), note(1)]);
  assert.deepEqual(host.call(myTool, { limit: 1 }), { notes: [note(2)], truncated: true });
});

test("the operator sets the limit", () => {
  const host = new MockHost({ settings: { default_limit: 3 } }).on("from public.notes", []);
  host.call(myTool);
  assert.deepEqual(host.statements[0]?.params, [null, 4]);
});

test("a blank search is refused", () => {
  assert.throws(() => new MockHost().call(myTool, { search: "  " }), { code: "invalid_arguments" });
});
