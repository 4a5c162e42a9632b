import assert from "node:assert/strict";
import { test } from "node:test";

import { Content, ToolError, defineTool, exportTools } from "../src/index.js";
import { MockHost } from "../src/testing.js";

/** A tool that does `call`. */
const tool = (call, options) => defineTool({ name: "my_tool", description: "Does it.", input: { type: "object" }, call, ...options });

const text = { type: "text", text: "a" };

test("each kind is a block", () => {
  const report = tool(() =>
    new Content()
      .text("é\ud800")
      .image("image/png", Uint8Array.of(0, 255))
      .audio("audio/wav", Uint8Array.of(1))
      .link("https://a.test/report", "Report")
      .link("https://a.test/list", "List", { mimeType: "text/csv", description: "All of them." })
      .file("notes://1", "text/markdown", "# One")
      .file("notes://2", "application/pdf", Uint8Array.of(2)),
  );
  assert.equal("outputSchema" in report.definition, false);
  const content = [
    { type: "text", text: "é\ufffd" },
    { type: "image", data: "AP8=", mimeType: "image/png" },
    { type: "audio", data: "AQ==", mimeType: "audio/wav" },
    { type: "resource_link", uri: "https://a.test/report", name: "Report" },
    { type: "resource_link", uri: "https://a.test/list", name: "List", mimeType: "text/csv", description: "All of them." },
    { type: "resource", resource: { uri: "notes://1", mimeType: "text/markdown", text: "# One" } },
    { type: "resource", resource: { uri: "notes://2", mimeType: "application/pdf", blob: "Ag==" } },
  ];
  assert.deepEqual(new MockHost().call(report), { content });
  assert.deepEqual(JSON.parse(exportTools(report).call("my_tool", "{}")), { content });
});

test("an async tool returns content", async () => {
  assert.deepEqual(await new MockHost().call(tool(async () => new Content().text("a"))), { content: [text] });
  const empty = { code: "failed", message: "The tool my_tool returned an empty Content. Add a text, or return data." };
  await assert.rejects(new MockHost().call(tool(async () => new Content())), empty);
});

test("many bytes are as they were", () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256);
  const { content } = new MockHost().call(tool(() => new Content().image("image/png", bytes)));
  assert.equal(content[0].data, Buffer.from(bytes).toString("base64"));
});

test("a link without a scheme is refused at once", () => {
  assert.throws(() => new Content().link("report.pdf", "Report"), { message: '"report.pdf" has no scheme, as in https://a.test' });
});

test("a wrong media type is refused at once", () => {
  for (const kind of ["text/plain", "image", "image/", "image/png\n", "IMAGE/PNG", ""]) {
    const message = `"${kind}" is not a media type that begins with image/`;
    assert.throws(() => new Content().image(kind, new Uint8Array()), { name: "TypeError", message });
  }
  const swapped = { message: "a value of the type object is not a media type that begins with audio/" };
  assert.throws(() => new Content().audio(new Uint8Array(), "audio/wav"), swapped);
  const none = { message: '"markdown" is not a media type, as in text/markdown' };
  assert.throws(() => new Content().file("notes://1", "markdown", ""), none);
  assert.throws(() => new Content().link("notes://1", "One", { mimeType: "markdown" }), none);
  new Content().file("notes://1", "text/markdown; charset=utf-8", "").image("image/svg+xml", new Uint8Array());
});

test("what is no text and no bytes is refused", () => {
  assert.throws(() => new Content().text(1), { message: "a text is needed here, and this is a value of the type number" });
  const bytes = { message: "a Uint8Array is needed here, and this is a value of the type string" };
  assert.throws(() => new Content().image("image/png", "AP8="), bytes);
});

test("a content has 1 to 100 parts", () => {
  const full = new Content();
  for (let part = 0; part < 100; part++) full.text("");
  assert.throws(() => full.text(""), { name: "TypeError", message: "a Content has at most 100 parts" });
  assert.equal(new MockHost().call(tool(() => full)).content.length, 100);
  const message = "The tool my_tool returned an empty Content. Add a text, or return data.";
  assert.throws(() => new MockHost().call(tool(() => new Content())), { name: ToolError.name, message });
});

test("a content is no data", () => {
  const content = () => new Content().text("a");
  const message = "The tool my_tool returned a Content and has an output schema. Leave out `output`, or return data.";
  assert.throws(() => new MockHost().call(tool(content, { output: { type: "object" } })), { code: "failed", message });
  const host = new MockHost();
  assert.throws(() => host.call(tool(() => ({ a: content() }))), { message: /TypeError/ });
  assert.match(host.logs[0].message, /a Content is a whole result: return it, and not data that holds it/);
});
