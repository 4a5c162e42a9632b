// Recipe 2 with the user's own token in each request. There is no back end: browsers start runs themselves, and tools act as the user
// of the run. A tool that runs elsewhere is told by a signature who that is.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { createClient } from "@supabase/supabase-js";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { BASE_URL, eventsOf, headers, ok, post, Refused, SERVICE_ROLE_KEY, type User } from "../app.ts";

/** Once: one agent for all users. `database_query` reads tables as the user of the run. */
export async function newAgent(model: string): Promise<string> {
  const { id: agent } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "librarian", model });
  for (const [tool_type, tool_name] of [["builtin", "database_query"], ["custom", "search_user_articles"]]) {
    await post(`/api/agents/${agent}/tools`, SERVICE_ROLE_KEY, { tool_type, tool_name });
  }
  return agent;
}

/** In the browser: asks, and shows what comes. */
export async function* chat(agent: string, message: string, user: User, session_id?: string): AsyncGenerator<any> {
  const response = await fetch(`${BASE_URL}/api/agents/${agent}/run/stream`, {
    method: "POST",
    headers: { ...headers(user.token), "Content-Type": "application/json" },
    body: JSON.stringify({ message, session_id }),
  });
  if (!response.ok) throw new Refused("chat", response.status, await response.text());
  yield* eventsOf(response.body!);
}

/** Once: a tool that runs on a server of the app's. No argument says who the user is. */
export async function newTool(server: string): Promise<void> {
  await post("/api/tools", SERVICE_ROLE_KEY, {
    name: "search_user_articles",
    description: "Searches the user's saved articles for relevant content.",
    type: "http",
    input_schema: { type: "object", properties: { query: { type: "string" } }, required: ["query"] },
    config: { endpoint: `${server}/search-articles`, method: "POST", read_only: "declared" },
  });
}

const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", BASE_URL));

/** The tool's server: the platform's signature says for whom it is called. */
async function searchArticles(request: IncomingMessage, response: ServerResponse, server: string): Promise<unknown> {
  const assertion = request.headers.authorization?.replace(/^Bearer /, "") ?? "";
  const verified = await jwtVerify(assertion, keys, { issuer: BASE_URL, audience: server }).catch(() => undefined);
  const userId = verified?.payload.sub;
  if (!userId) return response.writeHead(401).end();
  const { query } = (await json(request)) as { query: string };
  // The client acts as this user, so the policies of the app's tables decide, and no filter can be forgotten.
  const asUser = createClient(BASE_URL, SERVICE_ROLE_KEY, { global: { headers: { "X-Behalf-Act-As": userId } } });
  const results = await ok(asUser.rpc("search_articles", { words: query }).select("title, body"));
  return response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ results }));
}

export function startToolServer(port: number): Server {
  const address = `http://127.0.0.1:${port}`;
  const server = createServer((request, response) => {
    searchArticles(request, response, address).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  return server.listen(port, "127.0.0.1");
}

/** What was said in a conversation. The platform keeps it, for this user alone. */
export async function messagesOf(session: string, user: User): Promise<{ role: string; content: string }[]> {
  const { messages } = await (await fetch(`${BASE_URL}/api/sessions/${session}/messages`, { headers: headers(user.token) })).json();
  return messages;
}
