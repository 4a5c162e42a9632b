import assert from "node:assert/strict";
import { test } from "node:test";

import { HttpError, defineTool, query } from "../src/index.js";
import { httpError } from "../src/errors.js";
import { MockHost } from "../src/testing.js";

const API = "https://api.example.com";

/** An async tool that does `call`. */
const tool = (call, hints = { openWorld: true }) =>
  defineTool({ name: "my_tool", description: "Does it.", input: { type: "object" }, call, ...hints });

test("a request is one line", async () => {
  const rate = tool(async ({ base }) => (await (await fetch(`${API}/rates?base=${base}`)).json()).rate, { openWorld: true, readOnly: true });
  const host = new MockHost().responds(`GET ${API}/rates`, { rate: 1.5 });
  const before = globalThis.fetch;
  assert.equal(await host.call(rate, { base: "a b%20c" }), 1.5);
  assert.deepEqual(host.requests.map(({ url }) => url), [`${API}/rates?base=a%20b%20c`]);
  assert.equal(globalThis.fetch, before);
});

test("bodies and headers arrive", async () => {
  const host = new MockHost().responds("", ({ bytes }) => bytes, { headers: { "X-Made": "a" } });
  const seen = await host.call(
    tool(async () => {
      const posted = await fetch(API, { method: "post", body: JSON.stringify({ a: "é" }), headers: { "Content-Type": "application/json" } });
      await fetch(`${API}/form#top`, { method: "PUT", body: new URLSearchParams({ a: "1 2" }), headers: [["X-Key", "k"]] });
      await fetch(`${API}?x`, { method: "PATCH", body: Uint8Array.of(0, 255) });
      return { ok: posted.ok, text: await posted.text(), made: posted.headers.get("x-made"), size: (await posted.arrayBuffer()).byteLength };
    }),
  );
  assert.deepEqual(seen, { ok: true, text: '{"a":"é"}', made: "a", size: 10 });
  const [posted, put, patched] = host.requests;
  assert.deepEqual([posted.method, posted.url, posted.headers["content-length"], posted.json()], ["POST", `${API}/`, "10", { a: "é" }]);
  assert.deepEqual([put.url, put.text, put.headers["x-key"]], [`${API}/form`, "a=1+2", "k"]);
  assert.match(put.headers["content-type"], /^application\/x-www-form-urlencoded/);
  assert.deepEqual([patched.url, [...patched.bytes]], [`${API}/?x`, [0, 255]]);
});

test("a status is an answer, and what is no JSON is said without its text", async () => {
  const host = new MockHost().responds(API, "swordfish", { status: 503 });
  const status = tool(async () => {
    const answer = await fetch(API);
    return [answer.status, answer.ok];
  });
  assert.deepEqual(await host.call(status), [503, false]);
  const wrong = tool(async () => (await fetch(API)).json());
  await assert.rejects(host.call(wrong), { message: "api.example.com answered with status 503 and no JSON." });
});

test("redirects are followed and tell others no secret", async () => {
  const host = new MockHost().responds("https://b.test/end", "end");
  host.responds(`POST ${API}/start/now`, "", { status: 302, headers: { Location: "next" } });
  host.responds(`GET ${API}/start/next`, "", { status: 307, headers: { Location: "https://b.test/end" } });
  host.responds("https://round.test", "", { status: 301, headers: { location: "/again" } });
  const start = (redirect) =>
    tool(async () => {
      const answer = await fetch(`${API}/start/now`, { method: "POST", body: "x", headers: { Authorization: "Bearer x" }, redirect });
      return [answer.url, answer.redirected, answer.status];
    });
  assert.deepEqual(await host.call(start()), ["https://b.test/end", true, 200]);
  assert.deepEqual(host.requests.map(({ headers }) => "authorization" in headers), [true, true, false]);
  assert.equal(host.requests[1].bytes.length, 0);
  assert.deepEqual(await host.call(start("manual")), [`${API}/start/now`, false, 302]);
  await assert.rejects(host.call(start("error")), { message: "api.example.com redirects." });
  const round = tool(() => fetch("https://round.test/x"));
  await assert.rejects(host.call(round), { message: "round.test redirects more than 5 times." });
});

test("what a tool says of itself, and what is no address, is said before anything is sent", async () => {
  const host = new MockHost();
  for (const [hints, address, method, message] of [
    [{}, API, "GET", "This tool says that it stays inside, so it can send no request: write openWorld: true in defineTool."],
    [{ openWorld: true, readOnly: true }, API, "POST", "This tool says that it only reads, so it may send GET and HEAD alone, and not POST."],
    [{ openWorld: true }, "/rates", "GET", "An address begins with https:// and a host, and has no user; this one does not: /rates"],
    [{ openWorld: true }, "https://u:p@a.test/", "GET", "An address begins with https:// and a host, and has no user; this one does not: https://u:p@a.test/"],
  ]) {
    await assert.rejects(host.call(tool(() => fetch(address, { method }), hints)), { message });
  }
  const object = tool(() => fetch(API, { method: "POST", body: { a: 1 } }));
  await assert.rejects(host.call(object), { message: "The tool my_tool failed: TypeError. Its log says where." });
  assert.match(host.logs.at(-1).message, /write an object as JSON.stringify\(object\)/);
});

test("every failure has a sentence", async () => {
  for (const [name, code, retryable] of [
    ["HTTP-request-denied", "denied", false],
    ["destination-IP-prohibited", "denied", false],
    ["HTTP-request-URI-invalid", "invalid", false],
    ["HTTP-response-body-size", "limit", false],
    ["connection-read-timeout", "timeout", true],
    ["TLS-certificate-error", "unreachable", true],
  ]) {
    const error = httpError(name, "a.test:8443");
    assert.deepEqual([error.code, error.retryable, error.message.includes("a.test:8443")], [code, retryable, true], name);
  }
  const refused = httpError("internal-error", "a.test", "the secret key has no value yet");
  const said = "The request to a.test failed: the secret key has no value yet.";
  assert.deepEqual([refused.code, refused.retryable, refused.message], ["refused", false, said]);
  const failing = new MockHost().responds(API, httpError("connection-refused", "api.example.com"));
  const told = { code: "failed", retryable: true, message: "api.example.com could not be reached (connection-refused)." };
  await assert.rejects(failing.call(tool(() => fetch(API))), told);
  const careful = tool(() => fetch(API).catch((error) => (error instanceof HttpError ? error.code : "other")));
  assert.equal(await failing.call(careful), "unreachable");
});

test("an async tool that fails or meets what no test foresaw fails as others do", async () => {
  await assert.rejects(new MockHost().call(tool(() => fetch(API))), { name: "Unforeseen", message: /GET https:\/\/api.example.com\/$/ });
  const broken = tool(async () => query("select 1"));
  await assert.rejects(new MockHost().call(broken), { name: "Unforeseen" });
  const host = new MockHost();
  const uncaught = tool(async () => {
    await null;
    throw new RangeError("swordfish");
  });
  await assert.rejects(host.call(uncaught), { message: "The tool my_tool failed: RangeError. Its log says where." });
  assert.match(host.logs[0].message, /swordfish/);
});
