/** The project's database, as the caller: row-level security decides which rows exist. */

import host from "#host/database";

import { DatabaseError, ToolError, fromHost } from "./errors.js";
import { wellFormed } from "./text.js";
import { fromWire, parameters } from "./values.js";

/** One SELECT, VALUES or TABLE (or, where writing is granted, a data-changing statement with RETURNING), with $1, $2 … */
export function query(sql, ...params) {
  const answer = fromHost(DatabaseError, () => host.query(wellFormed(sql), parameters(sql, params)));
  const names = distinct(answer.columns.map((column) => column.name));
  const rows = answer.rows.map((values) => {
    const row = {};
    for (let at = 0; at < names.length; at += 1) row[names[at]] = fromWire(values[at], answer.columns[at]);
    return row;
  });
  return Object.defineProperties(rows, { columns: { value: answer.columns }, truncated: { value: answer.truncated } });
}

/** The only row of an answer; null where there is none. */
export function queryOne(sql, ...params) {
  const rows = query(sql, ...params);
  if (rows.length > 1 || rows.truncated) throw new ToolError("A statement that was to find one row found several.");
  return rows[0] ?? null;
}

/** One INSERT, UPDATE, DELETE or MERGE; returns the number of rows. */
export function execute(sql, ...params) {
  return Number(fromHost(DatabaseError, () => host.execute(wellFormed(sql), parameters(sql, params))));
}

/** Ends the transaction here, before slow work outside the database. In an open scope it is an error. */
export function commit() {
  fromHost(DatabaseError, () => host.commit());
}

/** Runs `work` in a scope: keeps what it did to the database, or undoes it if an error leaves it. */
export function scope(work) {
  fromHost(DatabaseError, () => host.beginScope());
  let result;
  try {
    result = work();
    if (typeof result?.then === "function") {
      throw new TypeError("scope() got a promise: a scope ends with its function, so it must not be async; await before or after it");
    }
  } catch (error) {
    undo();
    throw error;
  }
  fromHost(DatabaseError, () => host.endScope(true));
  return result;
}

/** Undoes the innermost scope after an error, which says what went wrong. If this fails too, the next statement says so. */
function undo() {
  try {
    fromHost(DatabaseError, () => host.endScope(false));
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
  }
}

/** The tables, views and columns that the caller's role may use. */
export function describe(schema) {
  return JSON.parse(fromHost(DatabaseError, () => host.describe(schema === undefined ? null : wellFormed(schema))));
}

/** `text` with `%`, `_` and `\` taken literally, for a pattern of LIKE or ILIKE. */
export function likeLiteral(text) {
  return text.replace(/[\\%_]/g, "\\$&");
}

/** A name that appears again gets `_2`, `_3` … appended, skipping those that exist. */
function distinct(names) {
  if (new Set(names).size === names.length) return names;
  const seen = new Set();
  return names.map((name) => {
    let one = name;
    for (let number = 2; seen.has(one) || (one !== name && names.includes(one)); number += 1) one = `${name}_${number}`;
    seen.add(one);
    return one;
  });
}
