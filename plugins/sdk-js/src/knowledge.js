/** Search in knowledge bases, as the caller: chunks of sources the caller may not read do not exist. */

import host from "#host/knowledge";

import { KnowledgeError, fromHost } from "./errors.js";
import { wellFormed } from "./text.js";

/** Searches for passages that fit `text`. */
export function search(text, options = {}) {
  const found = fromHost(KnowledgeError, () => host.search(wellFormed(text), JSON.stringify(options)));
  return found.map((passage) => ({ ...passage, meta: JSON.parse(passage.meta) }));
}
