import assert from "node:assert/strict";
import { test } from "node:test";

import { MockHost, denied } from "behalf-sdk/testing";

import { MAX_CHARACTERS, csv, markdown } from "../src/document.js";
import { notesExport } from "../src/tool.js";

const note = (title: string, body: string) => ({ title, body, created_at: "2026-04-02T10:00:00+00:00" });

test("notes become a Markdown document", () => {
  const host = new MockHost({ settings: { title: "My notes" } });
  host.on("from public.notes", [note("Garden", "Tomatoes in April."), note("Empty", "")]);
  assert.deepEqual(host.call(notesExport), {
    filename: "notes.md",
    media_type: "text/markdown",
    document: "# My notes\n\n## Garden\n\n*2026-04-02*\n\nTomatoes in April.\n\n## Empty\n\n*2026-04-02*\n",
    notes: 2,
    truncated: false,
  });
});

test("notes become CSV", () => {
  const { text } = csv([note('A "b"', "one\ntwo, three")]);
  assert.equal(text, 'created_at,title,body\r\n2026-04-02T10:00:00+00:00,"A ""b""","one\ntwo, three"\r\n');
});

test("a field is not taken for a formula", () => {
  assert.match(csv([note("=1+1", "@x")]).text, /,'=1\+1,'@x\r\n$/);
});

test("a title stays on its line", () => {
  assert.match(markdown("Notes", [note("a\n# b *c*", "")]).text, /\n## a \\# b \\\*c\\\*\n/);
});

test("headlines of a note stay below it, and code stays code", () => {
  const { text } = markdown("Notes", [note("a", "# b\n\n```sh\n# c\n```\n###### d")]);
  assert.ok(text.includes("\n### b\n\n```sh\n# c\n```\n###### d\n"), text);
});

test("code that is not closed does not swallow the next note", () => {
  const { text } = markdown("Notes", [note("a", "```\nx"), note("b", "y")]);
  assert.ok(text.includes("```\nx\n```\n\n## b"), text);
});

test("a document has an end", () => {
  const long = note("long", "x".repeat(MAX_CHARACTERS / 2));
  const written = markdown("Notes", [long, long, long]);
  assert.equal(written.notes, 1);
  assert.ok(written.text.length <= MAX_CHARACTERS);
  const host = new MockHost().on("from public.notes", [long, long]);
  assert.equal(host.call(notesExport).truncated, true);
});

test("what is asked for reaches the database as parameters", () => {
  const host = new MockHost().on("from public.notes", []);
  host.call(notesExport, { search: "50%", from: "2026-01-01", to: "2026-01-31" });
  assert.deepEqual(host.statements[0]?.params, ["%50\\%%", "2026-01-01", "2026-01-31", 501]);
});

test("days that do not exist, or run backwards, are refused", () => {
  for (const days of [{ from: "2026-02-31" }, { to: "2026-13-01" }, { from: "2026-02-02", to: "2026-02-01" }]) {
    assert.throws(() => new MockHost().call(notesExport, days), { code: "invalid_arguments" });
  }
});

test("a refusal reaches the model", () => {
  const host = new MockHost().on("from public.notes", denied("No access to notes."));
  assert.throws(() => host.call(notesExport), { code: "denied", message: "No access to notes." });
});
