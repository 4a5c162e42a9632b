/** What an agent remembers of its user: memories of the user and the agent of the call, and of nobody else. */

import host from "#host/memory";

import { MemoriesError, fromHost } from "./errors.js";
import { count, wellFormed } from "./text.js";

const ask = (call) => fromHost(MemoriesError, call);

/** Keeps a text, with an object that is added to it; returns its id. */
export function remember(text, meta = {}) {
  return ask(() => host.remember(wellFormed(text), wellFormed(JSON.stringify(meta))));
}

/** The memories that fit `query` best, the best first; the newest first where it is empty. */
export function recall(query = "", { topK = 10 } = {}) {
  const found = ask(() => host.recall(wellFormed(query), count(topK)));
  return found.map((one) => ({ ...one, meta: JSON.parse(one.meta) }));
}

/** Removes a memory; false where there is none of this id. */
export function forget(id) {
  return ask(() => host.forget(wellFormed(id)));
}
