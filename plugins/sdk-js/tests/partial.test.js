import assert from "node:assert/strict";
import { test } from "node:test";

import { defineTool } from "../src/index.js";
import { MockHost } from "../src/testing.js";

/** A tool that does `call`. */
const tool = (call) => defineTool({ name: "my_tool", description: "Does it.", input: { type: "object" }, call });

test("parts have the form of results", () => {
  const host = new MockHost();
  const result = host.call(
    tool((_, context) => {
      for (const part of [{ a: [1n, 2n ** 60n] }, "é", null, undefined, new Date(0), Uint8Array.of(0, 255)]) context.partial(part);
      return "all";
    }),
  );
  assert.equal(result, "all");
  assert.deepEqual(host.partials, [{ a: [1, "1152921504606846976"] }, "é", null, null, "1970-01-01T00:00:00.000Z", "\\x00ff"]);
  assert.deepEqual(host.progress, []);
});

test("what JSON has no word for fails", () => {
  const host = new MockHost();
  assert.throws(() => host.call(tool((_, context) => context.partial(NaN))), { code: "failed" });
  assert.deepEqual(host.partials, []);
});
