// Requests to the host, as an app makes them: with the project's public key and the token of the user who asks.

/** A text that is prepared for a user. */
export interface Sample {
  name: string;
  text: string;
}

/** A user of the demo. */
export interface DemoUser {
  name: string;
  email: string;
  password: string;
  sample: Sample;
}

/** What the page needs to begin. */
export interface Setup {
  anon_key: string;
  agent_id: string;
  knowledge_base_id: string;
  users: DemoUser[];
}

/** A signed-in user. */
export interface Session {
  access_token: string;
  user: { id: string; email: string };
}

/** A statement that ran as the user, or was refused. */
export interface Statement {
  number: number;
  role: string;
  tool: string | null;
  text: string;
  rows: number;
  verdict: string;
  sqlstate: string | null;
}

/** A JSON object of the host. */
export type Json = Record<string, unknown>;

/** A request that failed, in words for the person before the page. */
export class Failure extends Error {
  readonly status: number;
  readonly answer: Json;

  constructor(message: string, status: number, answer: Json) {
    super(message);
    this.status = status;
    this.answer = answer;
  }
}

/** What a request may have beside its path. */
interface Request {
  key?: string;
  token?: string;
  json?: unknown;
  form?: FormData;
}

async function send(path: string, request: Request): Promise<Response> {
  const headers = new Headers();
  if (request.key !== undefined) headers.set("apikey", request.key);
  if (request.token !== undefined) headers.set("Authorization", `Bearer ${request.token}`);
  if (request.json !== undefined) headers.set("Content-Type", "application/json");
  const body = request.form ?? (request.json === undefined ? null : JSON.stringify(request.json));
  let response;
  try {
    response = await fetch(path, { method: body === null ? "GET" : "POST", headers, body });
  } catch {
    throw new Failure("The host does not answer. Does `behalf dev` still run?", 0, {});
  }
  if (!response.ok) throw await failure(response);
  return response;
}

/** The sentence of an error. Each API has it in a place of its own. */
async function failure(response: Response): Promise<Failure> {
  let answer: Json = {};
  try {
    answer = (await response.json()) as Json;
  } catch {
    // It is no JSON, so the status is all there is.
  }
  const words = [answer["detail"], answer["msg"], answer["message"], answer["error_description"], answer["error"]];
  const sentence = words.find((word) => typeof word === "string" && word !== "");
  const shown = typeof sentence === "string" ? sentence : `The host answered with status ${response.status}.`;
  return new Failure(shown, response.status, answer);
}

/** The JSON objects of a stream of server-sent events. */
async function* events(response: Response): AsyncGenerator<Json> {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const lines = rest.slice(0, end).split("\n");
      rest = rest.slice(end + 2);
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice("data:".length));
      if (data.length > 0) yield JSON.parse(data.join("\n")) as Json;
    }
  }
}

/** What the page needs to begin. */
export async function setup(): Promise<Setup> {
  return (await (await send("/demo/chat/setup", {})).json()) as Setup;
}

/** Requests of one user. */
export class Client {
  readonly #setup: Setup;
  readonly #user: DemoUser;
  #session: Session | null = null;
  #conversation: string | null = null;

  constructor(setup: Setup, user: DemoUser) {
    this.#setup = setup;
    this.#user = user;
  }

  /** The signed-in user. */
  get session(): Session | null {
    return this.#session;
  }

  /** Signs the user in, with address and password. */
  async signIn(): Promise<Session> {
    const json = { email: this.#user.email, password: this.#user.password };
    const answer = await send("/auth/v1/token?grant_type=password", { key: this.#setup.anon_key, json });
    this.#session = (await answer.json()) as Session;
    return this.#session;
  }

  /** Uploads a file, and returns the id of the source. A file that the user has already is no failure. */
  async upload(file: File): Promise<string> {
    const form = new FormData();
    form.append("file", file, file.name);
    try {
      const answer = await this.#send("/api/sources/upload", { form });
      return text((await answer.json()) as Json, "id");
    } catch (error) {
      const known = error instanceof Failure ? error.answer["duplicate"] : undefined;
      if (typeof known === "object" && known !== null) return text(known as Json, "id");
      throw error;
    }
  }

  /** Follows a source until its text was read, or cannot be. */
  async *reading(source: string): AsyncGenerator<Json> {
    yield* events(await this.#send(`/api/sources/${encodeURIComponent(source)}/events`, {}));
  }

  /** Puts a source into the knowledge base, and follows it until it can be found, or cannot be indexed. */
  async *indexing(source: string): AsyncGenerator<Json> {
    const base = `/api/knowledge-bases/${encodeURIComponent(this.#setup.knowledge_base_id)}/sources`;
    const added = (await (await this.#send(base, { json: { source_id: source } })).json()) as Json;
    yield* events(await this.#send(`${base}/${encodeURIComponent(text(added, "id"))}/events`, {}));
  }

  /** Asks the agent, and follows the events of the run. Questions of one user are one conversation. */
  async *ask(message: string): AsyncGenerator<Json> {
    const json = this.#conversation === null ? { message } : { message, session_id: this.#conversation };
    const path = `/api/agents/${encodeURIComponent(this.#setup.agent_id)}/run/stream`;
    for await (const event of events(await this.#send(path, { json }))) {
      if (typeof event["session_id"] === "string") this.#conversation = event["session_id"];
      yield event;
    }
  }

  /** The statements that ran as the user after this number, and the newest number of all. */
  async statements(after: number): Promise<{ statements: Statement[]; last: number }> {
    const answer = await this.#send(`/demo/chat/statements?after=${after}`, {});
    return (await answer.json()) as { statements: Statement[]; last: number };
  }

  async #send(path: string, request: Request): Promise<Response> {
    if (this.#session === null) throw new Failure(`${this.#user.name} is not signed in. Sign in first.`, 401, {});
    return send(path, { ...request, key: this.#setup.anon_key, token: this.#session.access_token });
  }
}

/** A text of a JSON object. */
export function text(object: Json, name: string): string {
  const value = object[name];
  return typeof value === "string" ? value : "";
}
