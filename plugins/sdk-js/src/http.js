/** Requests to the hosts under `[grants.http]`, as `fetch` sends them elsewhere. */

import send from "#host/http";

import { HttpError, ToolError } from "./errors.js";
import { hints } from "./state.js";
import { wellFormed } from "./text.js";

/** Redirects of one request that are followed. */
const MAX_REDIRECTS = 5;

/** Headers by name, whatever the case; those of one name are joined by a comma. */
export class Headers {
  #values = new Map();

  constructor(given = []) {
    const pairs = typeof given[Symbol.iterator] === "function" ? given : Object.entries(given);
    for (const [name, value] of pairs) this.append(name, value);
  }

  append(name, value) {
    const before = this.get(name);
    this.set(name, before === null ? value : `${before}, ${value}`);
  }

  set(name, value) {
    this.#values.set(String(name).toLowerCase(), String(value).trim());
  }

  get(name) {
    return this.#values.get(String(name).toLowerCase()) ?? null;
  }

  has(name) {
    return this.#values.has(String(name).toLowerCase());
  }

  delete(name) {
    this.#values.delete(String(name).toLowerCase());
  }

  forEach(work) {
    for (const [name, value] of this) work(value, name, this);
  }

  keys() {
    return this.#values.keys();
  }

  values() {
    return this.#values.values();
  }

  entries() {
    return this.#values.entries();
  }

  [Symbol.iterator]() {
    return this.entries();
  }
}

/** An answer, whatever its status. */
export class Response {
  #bytes;

  constructor({ status, headers, body }, url, redirected) {
    this.status = status;
    this.ok = status >= 200 && status < 300;
    this.statusText = "";
    this.headers = new Headers(headers);
    this.url = url;
    this.redirected = redirected;
    this.#bytes = body;
  }

  async bytes() {
    return this.#bytes.slice();
  }

  async arrayBuffer() {
    return this.#bytes.slice().buffer;
  }

  async text() {
    try {
      return new TextDecoder("utf-8").decode(this.#bytes);
    } catch {
      throw new ToolError(`${hostOf(this.url)} answered with status ${this.status} and no text in UTF-8.`);
    }
  }

  async json() {
    try {
      return JSON.parse(await this.text());
    } catch {
      // Not its text, which is not the caller's.
      throw new ToolError(`${hostOf(this.url)} answered with status ${this.status} and no JSON.`);
    }
  }
}

/** Sends one request and reads its whole answer. */
export async function fetch(address, { method = "GET", headers, body, redirect = "follow", signal } = {}) {
  const sent = { method: String(method).toUpperCase(), headers: new Headers(headers), body: bytesOf(body) };
  const kind = kindOf(body);
  if (kind !== null && !sent.headers.has("content-type")) sent.headers.set("content-type", kind);
  let url = String(address);
  for (let hops = 0; ; hops += 1) {
    const answer = sendTo(url, sent, signal?.timeoutMs);
    const location = answer.headers.find(([name]) => name.toLowerCase() === "location")?.[1];
    const redirects = [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined;
    if (!redirects || redirect === "manual") return new Response(answer, url, hops > 0);
    if (redirect === "error" || hops === MAX_REDIRECTS) {
      throw new HttpError("redirects", `${hostOf(url)} redirects${redirect === "error" ? "" : ` more than ${MAX_REDIRECTS} times`}.`);
    }
    const next = joined(url, location);
    if (originOf(next) !== originOf(url)) {
      // Another server is told nothing that was meant for the first one.
      sent.headers.delete("authorization");
      sent.headers.delete("cookie");
    }
    // As browsers do: only 307 and 308 mean the same request again.
    if (![307, 308].includes(answer.status) && !["GET", "HEAD"].includes(sent.method)) {
      Object.assign(sent, { method: "GET", body: null });
      sent.headers.delete("content-type");
    }
    url = next;
  }
}

const ADDRESS = /^(https?):\/\/([^/?#@\s]+)(?=[/?#]|$)([^#]*)/i;

function sendTo(url, { method, headers, body }, timeout) {
  const [, scheme, authority, rest] = ADDRESS.exec(url) ?? [];
  if (authority === undefined) {
    throw new HttpError("invalid", `An address begins with https:// and a host, and has no user; this one does not: ${url.slice(0, 200)}`);
  }
  const { openWorldHint, readOnlyHint } = hints();
  if (openWorldHint === false) {
    throw new HttpError("denied", "This tool says that it stays inside, so it can send no request: write openWorld: true in defineTool.");
  }
  if (readOnlyHint === true && method !== "GET" && method !== "HEAD") {
    throw new HttpError("denied", `This tool says that it only reads, so it may send GET and HEAD alone, and not ${method}.`);
  }
  const all = new Headers(headers);
  if (!all.has("accept")) all.set("accept", "*/*");
  if (body !== null) all.set("content-length", body.length);
  const path = encodeURI(wellFormed(rest.startsWith("/") ? rest : `/${rest}`)).replace(/%25(?=[0-9a-f]{2})/gi, "%");
  const pairs = [...all].map(([name, value]) => [name, wellFormed(value)]);
  return send({ method, scheme: scheme.toLowerCase(), authority, path, headers: pairs, body, timeout });
}

const originOf = (url) => /^[a-z]+:\/\/[^/?#]*/i.exec(url)?.[0].toLowerCase();

const hostOf = (url) => ADDRESS.exec(url)?.[2] ?? url;

/** The address that a redirect means. */
function joined(url, location) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) return location;
  if (location.startsWith("//")) return url.slice(0, url.indexOf(":") + 1) + location;
  if (location.startsWith("/")) return originOf(url) + location;
  const path = url.split(/[?#]/)[0];
  return location.startsWith("?") ? path + location : path.slice(0, Math.max(path.lastIndexOf("/"), originOf(url).length)) + `/${location}`;
}

function bytesOf(body) {
  if (body === undefined || body === null) return null;
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  if (typeof body === "object" && body.toString === Object.prototype.toString) {
    throw new TypeError("The body of a request is a text, bytes or URLSearchParams; write an object as JSON.stringify(object).");
  }
  return new TextEncoder().encode(wellFormed(String(body)));
}

function kindOf(body) {
  if (typeof body === "string") return "text/plain;charset=UTF-8";
  return typeof body === "object" && body?.constructor?.name === "URLSearchParams" ? "application/x-www-form-urlencoded;charset=UTF-8" : null;
}
