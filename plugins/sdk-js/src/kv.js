/** A small store of the plugin's own: values by their keys, for each user who calls or, where that was granted, for all callers. */

import host from "#host/kv";

import { KvError, fromHost } from "./errors.js";
import { count, wellFormed } from "./text.js";
import { jsonText } from "./values.js";

/** How often `update` tries while other calls write the same key. */
const TRIES = 10;

const ask = (call) => fromHost(KvError, call);

/** The value of a key; `undefined` where there is none. */
export function get(key) {
  return parsed(ask(() => host.get(wellFormed(key))));
}

/** Writes a value. */
export function set(key, value) {
  const text = written(value);
  ask(() => host.set(wellFormed(key), text));
}

/** Writes what `change` makes of the present value, `undefined` where there is none, and returns it. */
export function update(key, change) {
  const name = wellFormed(key);
  for (let tries = 0; tries < TRIES; tries++) {
    const old = ask(() => host.get(name)) ?? null;
    const value = change(parsed(old));
    const text = written(value);
    if (ask(() => host.replace(name, old, text))) return value;
  }
  throw new KvError("unavailable", `other calls write to "${name}" all the time; try again shortly`, { retryable: true });
}

/** Removes a key; false where there is none. */
export function remove(key) {
  return ask(() => host.remove(wellFormed(key)));
}

/** The keys that begin with `prefix`, in the order of their bytes: those after `after`, `limit` at most. */
export function keys(prefix = "", { after, limit = 1000 } = {}) {
  const from = after === undefined || after === null ? null : wellFormed(after);
  return ask(() => host.keys(wellFormed(prefix), from, count(limit)));
}

const parsed = (text) => (text === undefined || text === null ? undefined : JSON.parse(text));

function written(value) {
  const text = jsonText(value);
  if (text === undefined) throw new KvError("invalid", `JSON has no word for ${typeof value}; use remove() for a key that is to go`);
  return text;
}
