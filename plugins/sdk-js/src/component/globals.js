/**
 * What JavaScript expects of its surroundings and QuickJS does not bring, or brings frozen: a component is a copy of the
 * memory that the build left, so the engine's own `Math.random` would give every call the same numbers. The build puts
 * this file before everything else.
 */

import log from "behalf:tool/log@0.1.1";
import random from "wasi:random/random@0.2.12";

import { MAP, withSources } from "../source-map.js";
import { isCalled } from "../state.js";
import { wellFormed } from "../text.js";
import { Promise, queueMicrotask } from "./promise.js";

/** How many bytes are drawn from the host at a time; a number takes eight. */
const DRAWN = 512;

let pool = new DataView(new ArrayBuffer(0));
let used = 0;

const builtRandom = Math.random;

/** 53 random bits as a fraction, from the host. */
function hostRandom() {
  // While the component is built there is no host yet.
  if (!isCalled()) return builtRandom();
  if (used >= pool.byteLength) {
    const bytes = random.getRandomBytes(DRAWN);
    pool = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    used = 0;
  }
  const high = pool.getUint32(used) >>> 5;
  const low = pool.getUint32(used + 4) >>> 6;
  used += 8;
  return (high * 0x4000000 + low) / 0x20000000000000;
}

function randomBytes(length) {
  if (!isCalled()) throw new Error("There are no random bytes while the component is built; draw them in a call.");
  return random.getRandomBytes(length);
}

const crypto = {
  getRandomValues(array) {
    if (!ArrayBuffer.isView(array) || array instanceof DataView || array.constructor.name.startsWith("Float")) {
      throw new TypeError("getRandomValues takes an array of integers");
    }
    if (array.byteLength > 65_536) throw new RangeError("getRandomValues fills at most 65536 bytes at once");
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(randomBytes(array.byteLength));
    return array;
  },

  randomUUID() {
    const bytes = randomBytes(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  },
};

/** UTF-8, the only encoding there is here. `unescape` turns the percent signs of a URI into bytes. */
class TextEncoder {
  encoding = "utf-8";

  encode(text = "") {
    const bytes = unescape(encodeURIComponent(String(text).toWellFormed()));
    return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
  }
}

class TextDecoder {
  encoding = "utf-8";

  constructor(label = "utf-8") {
    if (!["utf-8", "utf8"].includes(label.toLowerCase())) throw new RangeError(`there is no encoding ${label} here`);
  }

  /** As with `fatal`: bytes that are not UTF-8 are an error. */
  decode(bytes = new Uint8Array()) {
    let percent = "";
    for (const byte of new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength)) {
      percent += `%${byte.toString(16).padStart(2, "0")}`;
    }
    try {
      return decodeURIComponent(percent);
    } catch {
      throw new TypeError("the bytes are not UTF-8");
    }
  }
}

/** An error with its stack, and those that it came from. */
function failure(error) {
  const lines = [];
  // A cause may lead back to its error.
  for (let one = error; one instanceof Error && lines.length < 5; one = one.cause) {
    const stack = withSources(one.stack ?? "", globalThis[MAP]);
    lines.push(`${one.name}: ${one.message}\n${stack}`.trimEnd());
  }
  return lines.join("\ncaused by ");
}

/** One value of a line. */
function shown(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return failure(value);
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `${one}n` : one));
  } catch {
    return String(value);
  }
}

function writer(level) {
  return (...values) => {
    if (isCalled()) log.write(level, wellFormed(values.map(shown).join(" ")));
  };
}

const console = {
  trace: writer("trace"),
  debug: writer("debug"),
  log: writer("info"),
  info: writer("info"),
  warn: writer("warn"),
  error: writer("error"),
};

/** What the engine would write in one way only, whatever locale is asked for. */
function noLocales() {
  throw new Error("There are no locales in a component: write numbers and dates yourself, or let the database do it (to_char).");
}

for (const [type, names] of [
  [Number, ["toLocaleString"]],
  [BigInt, ["toLocaleString"]],
  [Date, ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]],
]) {
  for (const name of names) Object.defineProperty(type.prototype, name, { value: noLocales, configurable: true, writable: true });
}

Math.random = hostRandom;
for (const [name, value] of Object.entries({ crypto, console, Promise, queueMicrotask, TextEncoder, TextDecoder })) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
