import { DatabaseError, KnowledgeError, KvError, MemoriesError, StorageError, ToolError } from "./errors.js";
import { fetch } from "./http.js";
import { MockServers, Unforeseen } from "./testing-http.js";
import { MockStores } from "./testing-kv.js";
import { MockObjects } from "./testing-objects.js";
import { MockDocuments, MockMemories } from "./testing-texts.js";
import { install } from "./native/current.js";
import { run } from "./tool.js";
import { jsonText, toWire } from "./values.js";

export const ALICE = "a11ce000-0000-4000-8000-000000000001";
export const BOB = "b0b00000-0000-4000-8000-000000000002";

/** Scopes that may be open at the same time, as on the real host. */
const MAX_SCOPES = 8;

/** What no test foresaw is the test's failure, not the tool's. */
const foreseen = (error) => (error.cause instanceof Unforeseen ? error.cause : error);

/** Answers statements by what they contain, and records what the tool did. */
export class MockHost {
  statements = [];
  commits = 0;
  scopes = [];
  logs = [];
  progress = [];
  partials = [];

  #answers = [];
  /** Whether a statement failed, for each open scope. */
  #openScopes = [];
  /** The first statement of the call that failed outside of a scope. */
  #failure;
  #relations = [];
  #passages = [];
  #documents = new MockDocuments();
  #memories = new MockMemories();
  #stores = new MockStores();
  #objects = new MockObjects();
  #servers = new MockServers();
  #given;

  constructor({ subject = ALICE, role = "authenticated", claims = {}, settings = {}, remainingMs = 10_000 } = {}) {
    this.#given = { subject, role, claims, settings, remainingMs };
  }

  on(fragment, answer, { types = {}, truncated = false } = {}) {
    this.#answers.unshift({ fragment: flat(fragment), answer, types, truncated });
    return this;
  }

  describes(relations) {
    this.#relations = relations;
    return this;
  }

  finds(...passages) {
    this.#passages = passages;
    return this;
  }

  putsDocument(user, knowledgeBase, name, text) {
    this.#documents.put(user, knowledgeBase, name, text);
    return this;
  }

  failsKnowledge(code, message) {
    this.#documents.failure = new KnowledgeError(code, message);
    return this;
  }

  remembers(...texts) {
    texts.forEach((text) => this.#memories.put(this.#given.subject, text));
    return this;
  }

  memories() {
    return this.#memories.texts(this.#given.subject);
  }

  failsMemory(code, message) {
    this.#memories.failure = new MemoriesError(code, message);
    return this;
  }

  stores(key, value) {
    this.#stores.of(this.#given.subject).set(key, jsonText(value));
    return this;
  }

  kv() {
    const mine = this.#stores.of(this.#given.subject);
    return Object.fromEntries([...mine].map(([key, value]) => [key, JSON.parse(value)]));
  }

  sharesKv() {
    this.#stores.shared = true;
    return this;
  }

  failsKv(code, message) {
    this.#stores.failure = new KvError(code, message);
    return this;
  }

  puts(bucket, name, content, contentType = "text/plain") {
    this.#objects.put(bucket, name, content, contentType);
    return this;
  }

  object(bucket, name) {
    return this.#objects.get(bucket, name);
  }

  failsStorage(code, message) {
    this.#objects.failure = new StorageError(code, message);
    return this;
  }

  responds(part, answer, { status = 200, headers = {} } = {}) {
    this.#servers.expect(part, answer, status, headers);
    return this;
  }

  get requests() {
    return this.#servers.requests;
  }

  call(tool, given = {}) {
    const before = install(this.#host());
    const restore = [this.#recordConsole(), this.#replaceFetch(), () => void install(before)];
    const end = () => {
      this.#stores.endCall(succeeded);
      restore.forEach((undo) => undo());
    };
    this.#failure = undefined;
    this.#stores.beginCall();
    let succeeded = false;
    const finish = (text) => {
      const outcome = this.#outcome(text);
      succeeded = true;
      return outcome;
    };
    let result;
    try {
      result = run(new Map([[tool.name, tool]]), tool.name, jsonText(given));
      if (typeof result.then !== "function") return finish(result);
    } catch (error) {
      throw foreseen(error);
    } finally {
      if (typeof result?.then !== "function") end();
    }
    return result
      .then(finish)
      .catch((error) => {
        throw foreseen(error);
      })
      .finally(end);
  }

  #outcome(text) {
    // As on the host: a statement that failed outside of a scope ends the call, whatever the tool returns.
    if (this.#failure !== undefined) {
      const { message, retryable } = this.#failure;
      throw new ToolError(`a statement failed, and the tool went on without it: ${message}`, { code: "commit_failed", retryable });
    }
    return JSON.parse(text);
  }

  #host() {
    const { subject, role, claims, settings, remainingMs } = this.#given;
    return {
      query: (sql, params) => this.#rows(sql, params),
      execute: (sql, params) => this.#count(sql, params),
      commit: () => this.#commit(),
      beginScope: () => this.#beginScope(),
      endScope: (keep) => this.#endScope(keep),
      describe: (schema) => JSON.stringify(this.#relations.filter((one) => schema === null || one.schema === schema)),
      search: (text, options) => this.#search(text, options),
      ...this.#memories.host(subject),
      ...this.#stores.host(subject, () => this.#checkStore()),
      ...this.#objects.host(),
      sendRequest: (request) => this.#servers.send(request),
      report: (done, total, message) => void this.progress.push({ done, total, message }),
      partial: (part) => void this.partials.push(JSON.parse(part)),
      getAll: () => JSON.stringify(settings),
      getIdentity: () => ({ subject, role, claims: JSON.stringify(claims) }),
      getCall: () => JSON.stringify({ call_id: "00000000-0000-0000-0000-000000000000" }),
      remainingMs: () => remainingMs,
    };
  }

  #search(text, options) {
    const found = this.#documents.search(this.#given.subject, text, options) ?? this.#passages;
    return found.map((passage) => ({ ...passage, meta: JSON.stringify(passage.meta ?? {}) }));
  }

  #commit() {
    if (this.#openScopes.length > 0) throw new DatabaseError("invalid", "A scope is open; end it before the commit.");
    this.#stores.commit();
    this.commits += 1;
  }

  #beginScope() {
    this.#checkScope();
    if (this.#openScopes.length === MAX_SCOPES) {
      throw new DatabaseError("limit", `${MAX_SCOPES} scopes are open already; end one first.`);
    }
    this.#openScopes.push(false);
    this.#stores.beginScope();
  }

  #endScope(keep) {
    const failed = this.#openScopes.pop();
    if (failed === undefined) throw new DatabaseError("invalid", "No scope is open.");
    this.scopes.push(keep && !failed);
    this.#stores.endScope(keep && !failed);
    if (keep && failed) throw aborted();
  }

  /** The store is part of the call's transaction: after a failed statement it is out of reach as well. */
  #checkStore() {
    try {
      this.#checkScope();
    } catch ({ code, message }) {
      throw new KvError(code, message);
    }
  }

  #checkScope() {
    if (this.#openScopes.at(-1) || this.#failure !== undefined) throw aborted();
  }

  #answer(sql, params) {
    this.#checkScope();
    const values = params.map(({ val }) => val ?? null);
    this.statements.push({ sql, params: values });
    const found = this.#answers.find(({ fragment }) => flat(sql).includes(fragment));
    if (found === undefined) throw new Unforeseen(`the test does not say what to answer to: ${flat(sql)}`);
    const answer = typeof found.answer === "function" ? found.answer(...values) : found.answer;
    if (answer instanceof Error) {
      // What the host refuses before it reaches the database ends nothing.
      const open = this.#openScopes.length;
      if (answer instanceof DatabaseError && !["refused", "not_granted"].includes(answer.code)) {
        if (open > 0) this.#openScopes[open - 1] = true;
        else this.#failure ??= answer;
      }
      throw answer;
    }
    return { ...found, answer };
  }

  #rows(sql, params) {
    const { answer, types, truncated } = this.#answer(sql, params);
    if (!Array.isArray(answer)) throw new Unforeseen(`the test answers no rows to a query: ${flat(sql)}`);
    const names = Object.keys(answer[0] ?? types);
    const columns = names.map((name) => ({ name, typeName: types[name] ?? typeName(answer.map((row) => row[name])) }));
    const rows = answer.map((row) => columns.map((column) => lowered(row[column.name], column.typeName)));
    return { columns, rows, truncated };
  }

  #count(sql, params) {
    const { answer } = this.#answer(sql, params);
    if (typeof answer !== "number") throw new Unforeseen(`the test answers no number to \`execute\`: ${flat(sql)}`);
    return answer;
  }

  /** A tool's requests go to the test's servers. */
  #replaceFetch() {
    const before = globalThis.fetch;
    globalThis.fetch = fetch;
    return () => void (globalThis.fetch = before);
  }

  /** The host's log is `console`. */
  #recordConsole() {
    const before = {};
    const levels = { trace: "trace", debug: "debug", log: "info", info: "info", warn: "warn", error: "error" };
    for (const [method, level] of Object.entries(levels)) {
      before[method] = console[method];
      console[method] = (...values) => this.logs.push({ level, message: values.map(String).join(" ") });
    }
    return () => Object.assign(console, before);
  }
}

/** An answer for `MockHost.on`: the database refuses. */
export function denied(message = "permission denied") {
  return new DatabaseError("forbidden", message, { sqlstate: "42501" });
}

const aborted = () => new DatabaseError("aborted", "An earlier statement of this call, or of the open scope, failed, so its work was undone.");

const flat = (sql) => sql.split(/\s+/).join(" ").trim().toLowerCase();

function typeName(values) {
  const value = values.find((one) => one !== null && one !== undefined);
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int8" : "float8";
  if (typeof value === "bigint") return "int8";
  if (value instanceof Uint8Array) return "bytea";
  if (value instanceof Date) return "timestamptz";
  if (value instanceof Float32Array) return "vector";
  if (Array.isArray(value)) return "_text";
  return typeof value === "object" && value !== null ? "jsonb" : "text";
}

function lowered(value, type) {
  if (value !== null && value !== undefined && (type.startsWith("_") || type.startsWith("json"))) {
    return { tag: "text", val: jsonText(value) };
  }
  return toWire(value);
}
