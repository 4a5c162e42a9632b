/** The app's buckets and objects, as the caller: the app's policies decide which objects exist. */

import host from "#host/storage";

import { StorageError, fromHost } from "./errors.js";
import { count, wellFormed } from "./text.js";

/** Bytes of an object that `read` takes where nothing else is said. The host's own bound is 16 MiB. */
const MAX_BYTES = 16 * 1024 * 1024;

const ask = (call) => fromHost(StorageError, call);

/** The objects whose names begin with `prefix`, a page of them. */
export function list(bucket, prefix = "", { limit = 100, cursor } = {}) {
  const from = cursor === undefined || cursor === null ? null : wellFormed(cursor);
  const page = ask(() => host.listObjects(wellFormed(bucket), wellFormed(prefix), count(limit), from));
  const objects = page.objects.map((one) => ({ ...one, size: Number(one.size) }));
  return { objects, next: page.next ?? null };
}

/** A whole object: its bytes and its media type. */
export function read(bucket, name, { maxBytes = MAX_BYTES } = {}) {
  const { bytes, contentType } = ask(() => host.read(wellFormed(bucket), wellFormed(name), count(maxBytes)));
  return { bytes: Uint8Array.from(bytes), contentType };
}

/** A whole object that is a text. */
export function readText(bucket, name, options) {
  return new TextDecoder().decode(read(bucket, name, options).bytes);
}

/** Writes an object of a text or bytes; replaces the one of this name unless `upsert` is false. */
export function write(bucket, name, content, { contentType, upsert = true } = {}) {
  const isText = typeof content === "string";
  const bytes = isText ? new TextEncoder().encode(wellFormed(content)) : new Uint8Array(content);
  const type = contentType ?? (isText ? "text/plain;charset=UTF-8" : "application/octet-stream");
  ask(() => host.write(wellFormed(bucket), wellFormed(name), bytes, wellFormed(type), upsert));
}

/** Removes an object. */
export function remove(bucket, name) {
  ask(() => host.remove(wellFormed(bucket), wellFormed(name)));
}

/** An address at which whoever has it can read the object for so many seconds. */
export function signedUrl(bucket, name, expiresIn) {
  return ask(() => host.signedUrl(wellFormed(bucket), wellFormed(name), count(expiresIn)));
}
