import type { Static, TSchema } from "typebox";

import type { AsyncTool, Passage, Relation, Tool } from "./index.js";

/** The demo users, as `behalf tool run --sub alice` knows them. */
export const ALICE: string;
export const BOB: string;

/** A statement that the tool ran, and its parameters as the host gets them. */
export interface Statement {
  sql: string;
  params: unknown[];
}

/** A request that the tool sent. */
export interface SentRequest {
  method: string;
  url: string;
  /** Names in small letters. */
  headers: Record<string, string>;
  bytes: Uint8Array;
  text: string;
  json(): any;
}

type Answer = Record<string, unknown>[] | number | Error;

/**
 * A host for unit tests, which need neither a component nor a database. Arguments are not checked against the tool's
 * schema here; the real host does that before every call.
 */
export class MockHost {
  constructor(options?: {
    subject?: string | null;
    role?: "anon" | "authenticated" | "service_role";
    claims?: Record<string, unknown>;
    settings?: Record<string, unknown>;
    remainingMs?: number;
  });

  /** The statements that the tool ran, in order. */
  readonly statements: Statement[];
  readonly commits: number;
  /** For each scope that ended, whether it was kept. */
  readonly scopes: boolean[];
  readonly logs: { level: string; message: string }[];
  readonly progress: { done: number; total: number | null; message: string | null }[];
  /** The parts of results that the tool showed, in order. */
  readonly partials: unknown[];

  /**
   * What to answer to a statement that contains `fragment` (white space and case aside); what was said last wins. The
   * answer is rows, a number of rows for `execute`, an error to throw, or a function of the parameters that returns one
   * of these. A column's type follows from its values; `types` says it where they are all null or mean something else.
   */
  on(
    fragment: string,
    answer: Answer | ((...params: any[]) => Answer),
    options?: { types?: Record<string, string>; truncated?: boolean },
  ): this;

  /** What `describe` returns. */
  describes(relations: Relation[]): this;

  /** What `search` returns. */
  finds(...passages: Passage[]): this;

  /**
   * A document of a knowledge base that this user may read, and no other; null stands for callers without a user. A search finds the
   * documents of its caller, those first that share most words with the question.
   */
  putsDocument(user: string | null, knowledgeBase: string, name: string, text: string): this;

  /** Every search throws a `KnowledgeError` with this code. */
  failsKnowledge(code: string, message: string): this;

  /** Memories of the caller's. What the tool remembers is there as well. */
  remembers(...texts: string[]): this;

  /** The texts that the caller's agent remembers, the newest first. */
  memories(): string[];

  /** Every operation on memories throws a `MemoriesError` with this code. */
  failsMemory(code: string, message: string): this;

  /** An entry of the caller's store. What the tool writes is there as well. */
  stores(key: string, value: unknown): this;

  /** The caller's store: the value of each key. */
  kv(): Record<string, unknown>;

  /** All callers share one store, as with `scope = "plugin"`; otherwise each user has one. */
  sharesKv(): this;

  /** Every operation on the store throws a `KvError` with this code. */
  failsKv(code: string, message: string): this;

  /** An object that is there. What the tool writes is there as well; no policy holds here. */
  puts(bucket: string, name: string, content: string | Uint8Array, contentType?: string): this;

  /** An object: what was put, or what the tool wrote. */
  object(bucket: string, name: string): { bytes: Uint8Array; contentType: string } | undefined;

  /** Every operation on objects throws a `StorageError` with this code. */
  failsStorage(code: string, message: string): this;

  /**
   * What a server answers to a request whose method and address contain `part`, as in `GET https://a.test/x`; what was said last wins. The
   * answer is text, bytes, an error to throw, a function of the request, or what is sent as JSON. A request that the test does not foresee
   * fails the test.
   */
  responds(
    part: string,
    answer: unknown | ((request: SentRequest) => unknown),
    options?: { status?: number; headers?: Record<string, string> },
  ): this;

  /** The requests that the tool sent, in order. */
  readonly requests: SentRequest[];

  /** Calls an async tool: as below, when it is done. */
  call<Input extends TSchema, Output extends TSchema>(tool: AsyncTool<Input, Output>, arguments_?: Static<Input>): Promise<Static<Output>>;

  /** Calls a tool as the real host does, through JSON and back. Throws the `ToolError` that the model would see. */
  call<Input extends TSchema, Output extends TSchema>(tool: Tool<Input, Output>, arguments_?: Static<Input>): Static<Output>;
}

/** An answer for `MockHost.on`: the database refuses. */
export function denied(message?: string): Error;
