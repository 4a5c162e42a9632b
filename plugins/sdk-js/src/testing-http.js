import { jsonText } from "./values.js";

/** A statement or a request that no test foresaw. */
export class Unforeseen extends Error {
  constructor(message) {
    super(message);
    this.name = "Unforeseen";
  }
}

/** The servers of a mocked host: what a test says that they answer. */
export class MockServers {
  requests = [];

  #expected = [];

  expect(part, answer, status, headers) {
    this.#expected.unshift({ part, answer, status, headers });
  }

  send({ method, scheme, authority, path, headers, body }) {
    const url = `${scheme}://${authority}${path}`;
    const text = body === null ? "" : new TextDecoder().decode(body);
    const request = { method, url, headers: Object.fromEntries(headers), bytes: body ?? new Uint8Array(), text, json: () => JSON.parse(text) };
    this.requests.push(request);
    const found = this.#expected.find(({ part }) => `${method} ${url}`.includes(part));
    if (found === undefined) throw new Unforeseen(`the test does not say what to answer to: ${method} ${url}`);
    const answer = typeof found.answer === "function" ? found.answer(request) : found.answer;
    if (answer instanceof Error) throw answer;
    const [content, kind] = bodyOf(answer);
    const all = Object.entries({ "content-type": kind, ...found.headers });
    return { status: found.status, headers: all, body: method === "HEAD" ? new Uint8Array() : content };
  }
}

/** Bytes and text as they are; all else as JSON. */
function bodyOf(answer) {
  if (answer instanceof Uint8Array) return [answer, "application/octet-stream"];
  if (typeof answer === "string") return [new TextEncoder().encode(answer), "text/plain;charset=UTF-8"];
  return [new TextEncoder().encode(jsonText(answer)), "application/json"];
}
