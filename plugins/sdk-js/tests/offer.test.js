import assert from "node:assert/strict";
import { test } from "node:test";

import { defineTool } from "../src/index.js";

const input = { type: "object", properties: { id: { type: "string" }, lang: { type: "string" } } };
const made = (options) => defineTool({ name: "note", description: "One note.", input, readOnly: true, call: () => "", ...options }).definition;

test("a tool can be a resource or a prompt", () => {
  const resource = { uri: "notes://{id}/{lang}", mimeType: "text/markdown" };
  assert.deepEqual(made({ resource }).resource, resource);
  assert.equal("prompt" in made({ resource }), false);
  assert.deepEqual(made({ resource: { uri: "my-notes+1.x:all" } }).resource, { uri: "my-notes+1.x:all" });
  assert.equal(made({ prompt: true }).prompt, true);
  assert.equal("resource" in made({ prompt: true }), false);
});

test("other tools are neither", () => {
  for (const options of [{}, { prompt: false }, { readOnly: false }]) {
    const definition = made(options);
    assert.deepEqual(["resource" in definition, "prompt" in definition], [false, false]);
  }
  assert.equal("resource" in made({ input: { type: "object" } }), false);
});

test("what does not fit is refused when the tool is made", () => {
  const sign = "a variable has a to z, 0 to 9 and _, and begins with no digit";
  const at = (uri) => ({ resource: { uri } });
  const of = (uri) => `the resource "${uri}" of the tool note has`;
  for (const [options, message] of [
    [{ ...at("notes://{id}"), readOnly: false }, "the tool note is a resource and may write: a resource needs readOnly: true"],
    [{ prompt: true, readOnly: false }, "the tool note is a prompt and may write: a prompt needs readOnly: true"],
    [{ ...at("notes://{id}"), prompt: true }, "the tool note is a resource and a prompt: it can be one of them"],
    [{ resource: { mimeType: "text/plain" } }, 'the resource of the tool note has no uri, as in { uri: "notes://{id}" }'],
    [{ resource: "notes://{id}" }, 'the resource of the tool note has no uri, as in { uri: "notes://{id}" }'],
    [{ resource: null }, 'the resource of the tool note has no uri, as in { uri: "notes://{id}" }'],
    [{ resource: { uri: "notes://{id}", mimeType: "plain" } }, '"plain" is not a media type, as in text/markdown'],
    ...["", "{id}://a", "Notes://a"].map((uri) => [at(uri), `${of(uri)} no scheme, as in notes://{id}`]),
    ...["notes://{id", "notes://id}", "notes://{{id}}"].map((uri) => [at(uri), `${of(uri)} a brace without its other one`]),
    ...["", "+id", "Id"].map((name) => [at(`a:{${name}}`), `${of(`a:{${name}}`)} the variable "${name}": ${sign}`]),
    [at("a:{no}"), `${of("a:{no}")} the variable "no", which is no parameter of the tool`],
    [{ ...at("a:{id}"), input: { type: "object" } }, `${of("a:{id}")} the variable "id", which is no parameter of the tool`],
  ]) {
    assert.throws(() => made(options), { name: "TypeError", message });
  }
});
