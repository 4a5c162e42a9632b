// Recipe 2 as the platform's cookbook has it. Browsers talk to the app's back end, which starts runs with the service key. The agent's
// tool is a route of the same back end, and a token that goes through the model tells it whose articles are wanted.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { admin, BASE_URL, call, eventsOf, ok, post, SERVICE_ROLE_KEY } from "../app.ts";

/** The app's back end, whose address the platform can reach. */
export function startBackEnd(chat: Chat, port: number): Server {
  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<unknown>> = {
    "/api/chat": (request, response) => chat.answer(request, response),
    "/internal/tools/search-articles": searchArticles,
  };
  const server = createServer(async (request, response) => {
    try {
      const route = routes[request.url ?? ""];
      await (route ? route(request, response) : response.writeHead(404).end());
    } catch (error) {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  });
  return server.listen(port, "127.0.0.1");
}

/** Whom the tokens stand for that the agents pass to the tool. They tell nothing to who reads them, and open everything. */
const sessionTokens = new Map<string, string>();

export function sessionTokenOf(userId: string): string {
  for (const [token, user] of sessionTokens) if (user === userId) return token;
  const token = randomUUID();
  sessionTokens.set(token, userId);
  return token;
}

export class Chat {
  model = "";
  agents = new Map<string, Promise<string>>();
  address: string;

  constructor(address: string) {
    this.address = address;
  }

  /** From now on, users talk to agents with this model. */
  use(model: string): void {
    this.model = model;
    this.agents.clear();
  }

  /** `POST /api/chat`: runs the user's agent with the service key, and passes its stream on. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const userId = await whoAsks(request);
    if (!userId) return void response.writeHead(401).end();
    const { message } = (await json(request)) as { message: string };
    const agent = await this.agentFor(userId);
    await ok(admin.from("chat_messages").insert({ owner_id: userId, role: "user", content: message }));
    // At each run, so that the model always has the present token.
    await call("PATCH", `/api/agents/${agent}`, SERVICE_ROLE_KEY, {
      system_prompt: `Always call search_user_articles with session_token = ${sessionTokenOf(userId)}`,
    });
    const run = await fetch(`${BASE_URL}/api/agents/${agent}/run/stream`, {
      method: "POST",
      headers: {
        apikey: SERVICE_ROLE_KEY,
        Authorization: `Bearer ${SERVICE_ROLE_KEY}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ message, session_id: `chat-${agent}` }),
    });
    response.writeHead(run.status, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    const [forUser, forHistory] = run.body!.tee();
    const passOn = async () => {
      for await (const piece of forUser) response.write(piece);
    };
    await Promise.all([passOn(), keepAnswer(userId, forHistory)]);
    response.end();
  }

  /** The user's agent. Each has its own, because a session token stands in its prompt. */
  agentFor(userId: string): Promise<string> {
    let agent = this.agents.get(userId);
    if (!agent) this.agents.set(userId, (agent = this.newAgent()));
    return agent;
  }

  async newAgent(): Promise<string> {
    const { id: agent } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "librarian", model: this.model });
    const tool = await (toolId ??= newTool(this.address));
    const assignment = { tool_type: "custom", tool_id: tool, tool_name: "search_user_articles" };
    await post(`/api/agents/${agent}/tools`, SERVICE_ROLE_KEY, assignment);
    return agent;
  }
}

let toolId: Promise<string> | undefined;

/** The user whose token stands in a request of a browser. */
async function whoAsks(request: IncomingMessage): Promise<string | undefined> {
  const token = request.headers.authorization?.replace(/^Bearer /, "");
  if (!token) return undefined;
  const { data } = await admin.auth.getUser(token);
  return data.user?.id;
}

async function keepAnswer(userId: string, stream: ReadableStream<Uint8Array>): Promise<void> {
  for await (const event of eventsOf(stream)) {
    if (event.event !== "complete") continue;
    await ok(admin.from("chat_messages").insert({ owner_id: userId, role: "assistant", content: event.content }));
  }
}

async function newTool(backEnd: string): Promise<string> {
  const { id } = await post("/api/tools", SERVICE_ROLE_KEY, {
    name: "search_user_articles",
    description: "Searches the user's saved articles for relevant content.",
    type: "http",
    input_schema: {
      type: "object",
      properties: { query: { type: "string" }, session_token: { type: "string" } },
      required: ["query", "session_token"],
    },
    config: { endpoint: `${backEnd}/internal/tools/search-articles`, method: "POST" },
  });
  return id;
}

/** The tool. Its client sees the articles of all users, so the filter on the owner must never be forgotten. */
async function searchArticles(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const { query, session_token } = (await json(request)) as { query: string; session_token: string };
  const userId = sessionTokens.get(session_token);
  if (!userId) return response.writeHead(401).end();
  const found = admin.rpc("search_articles", { words: query }).eq("owner_id", userId).select("title, body");
  return response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ results: await ok(found) }));
}
