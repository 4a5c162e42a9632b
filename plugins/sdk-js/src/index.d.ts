import type { Static, TSchema } from "typebox";

/** The person a call is made for. Facts, never credentials. */
export interface Identity {
  /** `sub` of the verified token; null for an anonymous caller and for the service role. */
  readonly subject: string | null;
  readonly role: "anon" | "authenticated" | "service_role";
  /** Verified claims, without `exp`, `iat`, `nbf` and `jti`. */
  readonly claims: Record<string, unknown>;
}

/** What a call knows of itself. */
export interface Context {
  readonly caller: Identity;
  /** `call_id`, and where they exist `agent_id`, `session_id` and `run_id`. */
  readonly call: { readonly call_id: string; readonly agent_id?: string; readonly session_id?: string; readonly run_id?: string };
  /** Values the operator set for this plugin. */
  readonly settings: Record<string, unknown>;
  /** Milliseconds left before the host ends the call. */
  readonly remainingMs: number;
  /** Tells the caller that `done` of `total` units are done, with an optional sentence. */
  progress(done: number, total?: number, message?: string): void;
  /** Shows a part of the result at once: what JSON can say, of at most 65,536 bytes. The result of the call stays what the tool returns. */
  partial(value: unknown): void;
}

/** A tool's description. */
interface Description<Input extends TSchema, Output extends TSchema> {
  /** `[a-z][a-z0-9_]{0,63}` */
  name: string;
  title?: string;
  /** Read by the model to decide when to call the tool. */
  description: string;
  /** An object's schema. The host has checked the arguments against it before `call` sees them. */
  input: Input;
  /** A tool that returns a `Content` has none. */
  output?: Output;
  /** Hints to the model and its user; what a tool may do is decided by its grants. A tool that reads alone may send GET and HEAD alone. */
  readOnly?: boolean;
  /** True unless said otherwise, or `readOnly`. */
  destructive?: boolean;
  idempotent?: boolean;
  /** Whether the tool sends requests: without it the host sends none. */
  openWorld?: boolean;
  /**
   * The tool is also an MCP resource: its address, as in `notes://{id}` where `id` is a parameter, and its media type. Such a tool reads
   * alone.
   */
  resource?: { uri: string; mimeType?: string };
  /** Whether the tool is also an MCP prompt. Such a tool reads alone, and is no resource. */
  prompt?: boolean;
}

/**
 * A result of texts, images, sounds, links and files, in this order for whoever reads it. It has 1 to 100 of them. A tool that returns it
 * has no `output`. A wrong media type is a `TypeError`.
 */
export class Content {
  /** Adds a text. */
  text(text: string): this;

  /** Adds an image, as in `image("image/png", bytes)`. */
  image(mimeType: string, data: Uint8Array): this;

  /** Adds a sound, as in `audio("audio/wav", bytes)`. */
  audio(mimeType: string, data: Uint8Array): this;

  /** Adds a link to what the caller can read. */
  link(uri: string, name: string, options?: { mimeType?: string; description?: string }): this;

  /** Adds a file: its address, its media type, and its text or bytes. */
  file(uri: string, mimeType: string, content: string | Uint8Array): this;
}

/** A tool's description and its function. */
export interface ToolOptions<Input extends TSchema, Output extends TSchema> extends Description<Input, Output> {
  /** Does the work. An error that leaves it undoes what the call did to the database. */
  call(arguments_: Static<Input>, context: Context): Static<Output>;
}

/** The same for a function that awaits `fetch`. */
export interface AsyncToolOptions<Input extends TSchema, Output extends TSchema> extends Description<Input, Output> {
  call(arguments_: Static<Input>, context: Context): Promise<Static<Output>>;
}

/** A tool, as `exportTools` and a test's `MockHost` take it. */
export interface Tool<Input extends TSchema = TSchema, Output extends TSchema = TSchema> {
  readonly name: string;
  /** In the shape of an MCP tool. */
  readonly definition: Readonly<Record<string, unknown>>;
  call(arguments_: Static<Input>, context: Context): Static<Output>;
}

/** A tool whose function is async: a test gets a promise of its result. */
export interface AsyncTool<Input extends TSchema = TSchema, Output extends TSchema = TSchema> {
  readonly name: string;
  /** In the shape of an MCP tool. */
  readonly definition: Readonly<Record<string, unknown>>;
  call(arguments_: Static<Input>, context: Context): Promise<Static<Output>>;
}

export function defineTool<Input extends TSchema, Output extends TSchema = TSchema>(
  options: AsyncToolOptions<Input, Output>,
): AsyncTool<Input, Output>;
export function defineTool<Input extends TSchema, Output extends TSchema = TSchema>(
  options: ToolOptions<Input, Output>,
): Tool<Input, Output>;

/** What a component exports: `export const tool = exportTools(myTool, …)`. */
export function exportTools(...tools: (Tool<any, any> | AsyncTool<any, any>)[]): {
  definitions(): string;
  call(name: string, arguments_: string): string;
};

/** One column of an answer. */
export interface Column {
  readonly name: string;
  /** As Postgres spells it: `int4`, `timestamptz`, `_text` for an array of text. */
  readonly typeName: string;
}

/** The rows of an answer. */
export type Rows<Row> = Row[] & {
  readonly columns: readonly Column[];
  /** True when the host's limit cut the answer short. */
  readonly truncated: boolean;
};

/** One SELECT, VALUES or TABLE (or, where writing is granted, a data-changing statement with RETURNING), with $1, $2 … */
export function query<Row = Record<string, unknown>>(sql: string, ...params: unknown[]): Rows<Row>;

/** The only row of an answer; null where there is none, a `ToolError` where there are more. */
export function queryOne<Row = Record<string, unknown>>(sql: string, ...params: unknown[]): Row | null;

/** One INSERT, UPDATE, DELETE or MERGE; returns the number of rows. */
export function execute(sql: string, ...params: unknown[]): number;

/**
 * Ends the transaction here, before slow work outside the database. What was committed stays, even if the call fails. In
 * an open scope it throws a `DatabaseError`.
 */
export function commit(): void;

/**
 * Runs `work` in a scope and returns its result: what it did to the database is kept, or undone if an error leaves it. Whoever
 * catches the error can go on with the call. In a call that can only read, all statements of the outermost scope see the
 * same snapshot and the same `now()`. Scopes can be inside each other, 8 deep.
 *
 * A statement that fails ends its scope: what the scope did is undone, and further statements in it throw a `DatabaseError`
 * with the code `aborted`. If `work` catches the error and returns as if nothing had happened, `scope` throws it.
 */
export function scope<Result>(work: () => Result): Result;

/** A table or view that the caller's role may use. */
export interface Relation {
  schema: string;
  name: string;
  kind: string;
  can: string[];
  columns: { name: string; type: string; nullable: boolean }[];
}

/** The tables and views of the granted schemas (or of `schema` alone) that the caller's role may use. */
export function describe(schema?: string): Relation[];

/** `text` with `%`, `_` and `\` taken literally, for a pattern of LIKE or ILIKE. */
export function likeLiteral(text: string): string;

/** A parameter for a json or jsonb column, whatever the value is. An object needs no wrapping, an array does. */
export function json(value: unknown): unknown;

/** A parameter for a column of pgvector's `vector`. */
export function vector(numbers: Iterable<number>): unknown;

/** A chunk of a knowledge base. Scores are comparable within one answer only; higher fits better. */
export interface Passage {
  chunk: string;
  source: string;
  text: string;
  score: number;
  meta: Record<string, unknown>;
}

/**
 * Searches in knowledge bases, as the caller: names or ids in `knowledge_bases`, 1 to 100 passages, `method` one of `vector_search`,
 * `full_text`, `hybrid` and `tree_search`. What is left out is the base's choice.
 */
export function search(
  text: string,
  options?: {
    knowledge_bases?: string[];
    top_k?: number;
    method?: string;
    filter_metadata?: Record<string, unknown>;
    threshold?: number;
  },
): Passage[];

/** What an agent remembers. Scores are comparable within one answer only; higher fits better. */
export interface Memory {
  readonly id: string;
  readonly text: string;
  readonly score: number;
  readonly meta: Record<string, unknown>;
  /** When it was kept, as RFC 3339. */
  readonly createdAt: string;
}

/**
 * What an agent remembers of its user. Using it makes the plugin need the grant `memory`. A memory is kept or removed at once: it is no
 * part of the call's transaction, and stays where the call fails later.
 */
export namespace memory {
  /** Keeps a text of at most 8,000 bytes, with an object that is added to it; returns its id. */
  function remember(text: string, meta?: Record<string, unknown>): string;

  /** The memories that fit `query` best, 1 to 50 of them; the newest first where it is empty. */
  function recall(query?: string, options?: { topK?: number }): Memory[];

  /** Removes a memory; false where there is none of this id. */
  function forget(id: string): boolean;
}

/**
 * A small store of the plugin's own: values by their keys, for each user who calls or, where that was granted, for all callers. Using it
 * makes the plugin need `[grants.kv]`. What is written is part of the call's transaction: it is kept where the call succeeds and undone
 * where it fails, and `scope` and `commit` mean it as well.
 */
export namespace kv {
  /** The value of a key; `undefined` where there is none. */
  function get<T = unknown>(key: string): T | undefined;

  /** Writes a value: at most 65,536 bytes as JSON. A key has 1 to 256 bytes. */
  function set(key: string, value: unknown): void;

  /**
   * Writes what `change` makes of the present value, `undefined` where there is none, and returns it. No change of another call is lost:
   * `change` is called again where one came in between.
   */
  function update<T>(key: string, change: (value: T | undefined) => T): T;

  /** Removes a key; false where there is none. */
  function remove(key: string): boolean;

  /** The keys that begin with `prefix`, in the order of their bytes: those after `after`, `limit` (1 to 1,000) at most. */
  function keys(prefix?: string, options?: { after?: string; limit?: number }): string[];
}

/** An object of a bucket. */
export interface StoredObject {
  readonly name: string;
  readonly size: number;
  readonly contentType: string;
  /** When it was written last, as RFC 3339. */
  readonly updatedAt: string;
}

/**
 * The app's buckets and objects, as the caller. Using it makes the plugin need `[grants.storage]`. A write or a removal is done at
 * once: it is no part of the call's transaction, and stays where the call fails later.
 */
export namespace storage {
  /** The objects whose names begin with `prefix`, in the order of their names. `next` is the cursor of the next page. */
  function list(
    bucket: string,
    prefix?: string,
    options?: { limit?: number; cursor?: string | null },
  ): { objects: StoredObject[]; next: string | null };

  /** A whole object: its bytes and its media type. */
  function read(bucket: string, name: string, options?: { maxBytes?: number }): { bytes: Uint8Array; contentType: string };

  /** A whole object that is a text. */
  function readText(bucket: string, name: string, options?: { maxBytes?: number }): string;

  /** Writes an object of a text or bytes; replaces the one of this name unless `upsert` is false. */
  function write(
    bucket: string,
    name: string,
    content: string | ArrayLike<number> | ArrayBuffer,
    options?: { contentType?: string; upsert?: boolean },
  ): void;

  /** Removes an object. */
  function remove(bucket: string, name: string): void;

  /** An address at which whoever has it can read the object for so many seconds. */
  function signedUrl(bucket: string, name: string, expiresIn: number): string;
}

/** The tool's own failure. Its message is shown to the model; throwing it undoes what the call did. */
export class ToolError extends Error {
  constructor(message: string, options?: { code?: string; retryable?: boolean; cause?: unknown });
  readonly code: string;
  readonly retryable: boolean;
  /** The arguments are wrong in a way the schema cannot say. */
  static invalidArguments(message: string): ToolError;
  /** The caller may not do this. */
  static denied(message: string): ToolError;
}

/** A statement failed. The message is safe to show to a model. */
export class DatabaseError extends Error {
  constructor(code: string, message: string, options?: { sqlstate?: string | null; retryable?: boolean });
  /**
   * `refused`, `forbidden`, `constraint`, `invalid`, `timeout`, `aborted`, `not_granted`, `limit`, `unavailable`, or one
   * that does not exist yet.
   */
  readonly code: string;
  readonly sqlstate: string | null;
  readonly retryable: boolean;
}

/**
 * `fetch` has no answer: `denied`, `invalid`, `timeout`, `limit`, `unreachable`, `refused`, `redirects`, or a code that does not exist yet. A status
 * of 400 or more is an answer.
 */
export class HttpError extends Error {
  constructor(code: string, message: string, options?: { retryable?: boolean });
  readonly code: string;
  readonly retryable: boolean;
}

/** A search failed: `invalid`, `not_granted`, `timeout`, `limit`, `unavailable`. */
export class KnowledgeError extends Error {
  constructor(code: string, message: string, options?: { retryable?: boolean });
  readonly code: string;
  readonly retryable: boolean;
}

/** An operation on memories failed: `invalid`, `denied`, `not_granted`, `timeout`, `limit`, `unavailable`, or one that does not exist yet. */
export class MemoriesError extends Error {
  constructor(code: string, message: string, options?: { retryable?: boolean });
  readonly code: string;
  readonly retryable: boolean;
}

/**
 * An operation on the plugin's store failed: `invalid`, `denied`, `not_granted`, `limit`, `aborted`, `timeout`, `unavailable`, or a code
 * that does not exist yet.
 */
export class KvError extends Error {
  constructor(code: string, message: string, options?: { retryable?: boolean });
  readonly code: string;
  readonly retryable: boolean;
}

/**
 * An operation on objects failed: `not_found`, `denied`, `too_large`, `exists`, `invalid`, `not_granted`, `timeout`, `limit`,
 * `unavailable`, or a code that does not exist yet.
 */
export class StorageError extends Error {
  constructor(code: string, message: string, options?: { retryable?: boolean });
  readonly code: string;
  readonly retryable: boolean;
}
