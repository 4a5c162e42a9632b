// Uses a host through a client that openapi-typescript made from /openapi.json. It has to compile: a path, a field or a type that the
// document does not know is an error of the compiler. Prints what it got, for the test.
import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

const { BASE_URL, ANON_KEY, TOKEN, SERVICE_KEY, MESSAGE } = process.env as Record<string, string>;

const as = (token: string) =>
  createClient<paths>({ baseUrl: BASE_URL, headers: { apikey: ANON_KEY, Authorization: `Bearer ${token}` } });
const service = as(SERVICE_KEY);
const user = as(TOKEN);

type CreatedAgent = components["schemas"]["CreatedAgent"];
type Problem = components["schemas"]["Problem"];

/** The answer, or the problem that came in its place as an exception. */
function expectData<T>(result: { data?: T; error?: unknown }): T {
  if (result.data === undefined) throw new Error(JSON.stringify(result.error));
  return result.data;
}

const agent: CreatedAgent = expectData(await service.POST("/api/agents", { body: { name: "typed" } }));
expectData(
  await service.POST("/api/agents/{agent}/tools", {
    params: { path: { agent: agent.id } },
    body: { tool_type: "builtin", tool_name: "database_query" },
  }),
);

const run = expectData(
  await user.POST("/api/agents/{agent}/run", { params: { path: { agent: agent.id } }, body: { message: MESSAGE } }),
);
const shown = expectData(await user.GET("/api/agents/runs/{run}", { params: { path: { run: run.run_id } } }));
const listed = expectData(await user.GET("/api/tools"));

const refused = await user.POST("/api/agents", { body: { name: "mine" } });
const problem: Problem | undefined = refused.error;

console.log(
  JSON.stringify({
    status: run.status,
    content: run.content,
    session: shown.session_id === run.session_id,
    tools: listed.tools.map((tool) => tool.name),
    refused: problem?.status,
  }),
);
