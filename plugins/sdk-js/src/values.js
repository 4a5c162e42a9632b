import { ToolError } from "./errors.js";
import { roundedNumber } from "./numbers.js";
import { wellFormed } from "./text.js";

class Json {
  constructor(value) {
    this.value = value;
  }
}

class Vector {
  constructor(numbers) {
    this.numbers = Array.from(numbers, Number);
  }
}

/** A parameter for a json or jsonb column, whatever the value is. Arrays and objects need no wrapping. */
export function json(value) {
  return new Json(value);
}

/** A parameter for a column of pgvector's `vector`. */
export function vector(numbers) {
  return new Vector(numbers);
}

const text = (val) => ({ tag: "text", val: wellFormed(val) });

/** Signs that `$1` is an array, json or a vector: its type, or what is done with it. */
const ONE_VALUE =
  /\$1\s*::\s*[^\s,;)]*(\[|json|vector)|\bas\s+[^\s,)]*(\[|json|vector)|\b(any|all|some|unnest|cardinality|array_\w+|jsonb?_\w+)\s*\(\s*\$1\b|@>|<@|&&|<->|<=>|<#>|<\+>/i;

/**
 * The parameters of a statement, which are given one by one. Elsewhere in JavaScript they are one array. Such an array would become one
 * value here, which most often fits no row, without a word.
 */
export function parameters(sql, values) {
  if (values.length === 1 && Array.isArray(values[0]) && !ONE_VALUE.test(sql)) {
    throw new TypeError(
      "Parameters are given one by one: query(sql, a, b), or query(sql, ...values). If $1 is an array, say its type in the statement: " +
        "$1::text[]; if it is json, give json(value).",
    );
  }
  return values.map(toWire);
}

/** One parameter as the host takes it: the server infers its type, so text serves for what has no type of its own. */
export function toWire(value) {
  switch (typeof value) {
    case "undefined":
      return { tag: "null" };
    case "boolean":
      return { tag: "boolean", val: value };
    case "string":
      return text(value);
    case "number":
      // Beyond the safe integers a number is no longer the one that was meant; as a float it is at least honest.
      return Number.isSafeInteger(value) ? { tag: "integer", val: value } : { tag: "float", val: value };
    case "bigint":
      return isSafe(value) ? { tag: "integer", val: Number(value) } : text(value.toString());
    case "object":
      return objectToWire(value);
    default:
      throw new TypeError(`a ${typeof value} cannot be a parameter`);
  }
}

function objectToWire(value) {
  if (value === null) return { tag: "null" };
  if (value instanceof Date) return text(moment(value));
  if (value instanceof Set) return objectToWire([...value]);
  if (value instanceof Uint8Array) return { tag: "bytes", val: value };
  if (value instanceof ArrayBuffer) return { tag: "bytes", val: new Uint8Array(value) };
  if (value instanceof Vector) return { tag: "vector", val: value.numbers };
  if (value instanceof Float32Array) return { tag: "vector", val: Array.from(value) };
  if (value instanceof Json) return text(jsonText(value.value));
  if (Array.isArray(value)) return text(jsonText(value.map(element)));
  return text(jsonText(value));
}

/** An element of an array, as JSON. The host gives the array the form that its parameter takes. */
function element(value) {
  if (Array.isArray(value)) return value.map(element);
  if (value instanceof Json) return value.value;
  // JSON has no word for these, and the database has.
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  const { tag, val } = toWire(value);
  if (tag === "null") return null;
  if (tag === "bytes") return `\\x${hex(val)}`;
  // An object is itself; what else becomes text (a date, a large bigint) is that text.
  return tag === "text" && isPlain(value) ? value : val;
}

const isPlain = (value) => typeof value === "object" && !(value instanceof Date);

/** A column's value as JavaScript's, by the type the server gave the column. */
export function fromWire({ tag, val }, column) {
  if (tag === "null") return null;
  if (tag === "integer") return safeInteger(val, column.name);
  if (tag === "text" && (isArray(column) || column.typeName === "json" || column.typeName === "jsonb")) {
    return parsed(val, column);
  }
  return tag === "vector" ? Array.from(val) : val;
}

const isArray = (column) => column.typeName.startsWith("_");

function parsed(written, column) {
  if (roundedNumber(written) !== undefined) {
    throw new ToolError(
      `The column ${column.name} holds a number that JavaScript would round. Select it as text (${column.name}::text).`,
    );
  }
  let value;
  try {
    value = JSON.parse(written);
  } catch {
    // One odd value must not hide the others.
    return written;
  }
  return value;
}

/** An integer that JavaScript holds exactly. The host hands integers over as numbers, so a larger one is already rounded. */
function safeInteger(value, name) {
  if (Number.isSafeInteger(Number(value))) return Number(value);
  throw new ToolError(
    `The column ${name} holds a whole number beyond 2^53, which JavaScript would round. Select it as text (${name}::text).`,
  );
}

const isSafe = (value) => value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function moment(date) {
  if (Number.isNaN(date.getTime())) throw new TypeError("a date is no date: it was made of what is none");
  return date.toISOString();
}

/** What JSON has no form of its own for: a Map is an object, a Set and an array of numbers are arrays. */
function plain(value) {
  if (value instanceof Map) {
    const other = [...value.keys()].find((key) => typeof key !== "string" && typeof key !== "number");
    if (other !== undefined) throw new TypeError("a Map whose keys are no texts cannot be JSON; return its entries: [...map]");
    return Object.fromEntries(value);
  }
  if (value instanceof Set) return [...value];
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) && !(value instanceof Uint8Array) && !(value instanceof DataView) ? Array.from(value) : value;
}

/** JSON, with a bigint as a number where that is exact and as text where it is not, and bytes as the database spells them. */
export function jsonText(value) {
  // Not an arrow function: `this[key]` is the value before its own `toJSON`, which makes null of a wrong date.
  return JSON.stringify(value, function replaced(key, given) {
    if (this[key] instanceof Date) return moment(this[key]);
    const one = plain(given);
    if (typeof one === "bigint") return isSafe(one) ? Number(one) : one.toString();
    if (typeof one === "number" && !Number.isFinite(one)) {
      throw new TypeError("a result holds NaN or Infinity, which JSON has no word for");
    }
    if (typeof one === "string") return wellFormed(one);
    return one instanceof Uint8Array ? `\\x${hex(one)}` : one;
  });
}
