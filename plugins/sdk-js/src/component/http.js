import handler from "late:http/outgoing-handler@0.2.0";
import types from "late:http/types@0.2.0";

import { HttpError, httpError } from "../errors.js";

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/** Bytes that a stream takes at once, and that are asked of one. */
const WRITTEN = 4096;
const READ = 65_536;

/** Sends a request and returns the whole answer, or throws an `HttpError`. */
export default function send(request) {
  try {
    return answer(begin(request));
  } catch (error) {
    if (typeof error?.payload?.tag !== "string") throw error;
    throw httpError(error.payload.tag, request.authority, error.payload.val);
  }
}

function begin({ method, scheme, authority, path, headers, body, timeout }) {
  const fields = new types.Fields();
  for (const [name, value] of headers) {
    try {
      fields.append(name, new TextEncoder().encode(value));
    } catch {
      throw new HttpError("invalid", `The header ${name.slice(0, 100)} cannot be sent: its name, its value, or that it is there.`);
    }
  }
  const outgoing = new types.OutgoingRequest(fields);
  try {
    outgoing.setMethod(METHODS.includes(method) ? { tag: method.toLowerCase() } : { tag: "other", val: method });
    outgoing.setScheme({ tag: scheme === "https" ? "HTTPS" : "HTTP" });
    outgoing.setAuthority(authority);
    outgoing.setPathWithQuery(path);
  } catch {
    throw new HttpError("invalid", "The method, the host or the path of the request has characters that none may have.");
  }
  // A request whose body was asked for would be sent in chunks, which servers do not expect of a GET.
  const content = body === null ? null : outgoing.body();
  const pending = handler.handle(outgoing, options(timeout));
  if (content !== null) write(content, body);
  return pending;
}

function options(timeout) {
  if (timeout === undefined) return null;
  const made = new types.RequestOptions();
  const nanoseconds = Math.max(1, Math.trunc(timeout * 1e6));
  made.setConnectTimeout(nanoseconds);
  made.setFirstByteTimeout(nanoseconds);
  return made;
}

function write(content, bytes) {
  try {
    using(content.write(), (stream) => {
      for (let at = 0; at < bytes.length; at += WRITTEN) stream.blockingWriteAndFlush(bytes.subarray(at, at + WRITTEN));
    });
    types.OutgoingBody.finish(content, null);
  } catch {
    // The request was refused or cut off; the answer says why.
  }
}

/** The value of a result that arrives as a value. */
function unwrapped(result) {
  if (result.tag === "err") throw Object.assign(new Error("a request failed"), { payload: result.val });
  return result.val;
}

/**
 * Works with a resource, and drops it also where the work fails. The engine drops what is left in any order, and the host ends a call that
 * drops a resource before those that were made of it.
 */
function using(resource, work) {
  try {
    return work(resource);
  } finally {
    resource[Symbol.dispose]();
  }
}

function answer(pending) {
  return using(pending, () => {
    let answered = pending.get();
    while (answered === null || answered === undefined) {
      using(pending.subscribe(), (ready) => ready.block());
      answered = pending.get();
    }
    // The outer result is for answers that were taken already.
    return using(unwrapped(unwrapped(answered)), whole);
  });
}

function whole(response) {
  const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const headers = using(response.headers(), (fields) => fields.entries().map(([name, value]) => [name, latin(value)]));
  const body = using(response.consume(), (content) => using(content.stream(), read));
  return { status: response.status(), headers, body };
}

function read(stream) {
  const pieces = [];
  let length = 0;
  for (;;) {
    try {
      const piece = stream.blockingRead(READ);
      pieces.push(piece);
      length += piece.length;
    } catch (error) {
      const end = error?.payload;
      if (end?.tag === "closed") break;
      if (end?.tag !== "last-operation-failed") throw error;
      const code = types.httpErrorCode(end.val);
      throw Object.assign(new Error("an answer was cut off"), { payload: code ?? { tag: "HTTP-response-incomplete" } });
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
