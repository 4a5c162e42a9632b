import assert from "node:assert/strict";
import { test } from "node:test";

import { named } from "../late-imports.js";

const text = (value) => [...new TextEncoder().encode(value)];

/** A section of a component; its size takes two bytes. */
const section = (kind, content) => [kind, (content.length & 0x7f) | 0x80, content.length >> 7, ...content];

test("only names of imports are changed, and nothing moves", () => {
  const imports = text("late:http/types@0.2.0 behalf:tool/log@0.1.1 late:io/streams@0.2.0 ".repeat(3));
  const data = text("late:http is also a text of the tool's");
  const component = Uint8Array.from([0, 97, 115, 109, 13, 0, 1, 0, ...section(1, data), ...section(10, imports), ...section(0, data)]);
  const changed = new TextDecoder("latin1").decode(named(component));
  assert.equal(changed.length, component.length);
  assert.equal(changed.split("wasi:http/types@0.2.0 behalf:tool/log@0.1.1 wasi:io/streams@0.2.0 ").length, 4);
  assert.equal(changed.split("late:http is also a text").length, 3);
});
