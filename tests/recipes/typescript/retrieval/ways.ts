// Every way by which the platform tells a user what documents say, for the walks of this recipe.
import assert from "node:assert/strict";
import { ANON_KEY, BASE_URL, call, get, headers, post, type User } from "../app.ts";
import { bob, denied, isNone, refused, rowsOf, type Person } from "../walk.ts";

export const QUESTION = "Which colour has the anchor of the boat?";

export function documentOf(person: Person, colour: string): File {
  const text = `# The boat\n\nThe anchor of the boat is ${colour}. Its berth is ${person.canary}.\n`;
  return new File([text], `${person.name}.md`, { type: "text/markdown" });
}

/** What a user is told by each way to the chunks of a base. */
export async function everyWay(user: User, knowledgeBase: string): Promise<[string, string][]> {
  const told: [string, string][] = [];
  for (const retrieval_method of ["hybrid", "vector_search", "full_text"]) {
    const body = { query: QUESTION, top_k: 10, retrieval_method };
    told.push([retrieval_method, JSON.stringify(await post(`/api/knowledge-bases/${knowledgeBase}/search`, user.token, body))]);
  }
  const tool = await post("/api/tools/knowledge_search/call", user.token, { arguments: { query: QUESTION } });
  told.push(["tool", JSON.stringify(tool)]);
  const request = { name: "knowledge_search", arguments: { query: QUESTION } };
  const mcp = await fetch(`${BASE_URL}/mcp`, {
    method: "POST",
    headers: { ...headers(user.token), "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: request }),
  });
  assert.equal(mcp.status, 200);
  told.push(["mcp", await mcp.text()]);
  return told;
}

/** Tables of the platform, in which texts and names of documents stand. */
const TABLES = [
  "agents",
  "agent_runs",
  "agent_sessions",
  "chunk_words",
  "chunks",
  "context_handlers",
  "embeddings",
  "indexed_sources",
  "knowledge_bases",
  "message_citations",
  "run_events",
  "source_pages",
  "sources",
];

/** No table, and no request about a thing of the other's, says anything of it. */
export async function saysNothing(own: User, other: Person, source: string, knowledgeBase: string): Promise<void> {
  for (const table of TABLES) {
    const rows = await rowsOf(own, "ai", table);
    isNone(rows, other);
    assert.ok(!rows.includes(source), `${table}: ${rows}`);
  }
  const chunks = () => own.supabase.schema("ai").from("chunks").select("id, text, sources(name)", { count: "exact" });
  for (const query of [chunks().eq("source_id", source), chunks().like("text", `%${other.canary}%`)]) {
    const { data, count } = await query;
    assert.deepEqual([data, count], [[], 0]);
  }
  for (const path of ["", "/page-texts", "/download", "/events", "/derivatives/text/download"]) {
    await refused([404], get(`/api/sources/${source}${path}`, own.token));
  }
  const named = { query: QUESTION, source_ids: [source] };
  const found = await post(`/api/knowledge-bases/${knowledgeBase}/search`, own.token, named);
  assert.deepEqual(found.results, []);
  const items = await post(`/api/knowledge-bases/${knowledgeBase}/items`, own.token, { source_ids: [source] });
  assert.deepEqual(items.items, []);
  const listed = await get(`/api/knowledge-bases/${knowledgeBase}/sources`, own.token);
  isNone(listed, other);
  assert.ok(!JSON.stringify(listed).includes(source));
}

/** Nobody changes what the other has. */
export async function changesNothing(own: User, source: string, knowledgeBase: string): Promise<void> {
  const ai = own.supabase.schema("ai");
  for (const table of ["sources", "chunks", "indexed_sources", "knowledge_bases"]) {
    const key = table === "sources" ? "id" : table === "knowledge_bases" ? "id" : "source_id";
    const value = table === "knowledge_bases" ? knowledgeBase : source;
    await denied("42501", ai.from(table).delete().eq(key, value).select());
    await denied("42501", ai.from(table).update({ [key]: value }).eq(key, value).select());
  }
  await denied("42501", ai.from("chunks").insert({ source_id: source, knowledge_base_id: knowledgeBase, text: "planted" }));
  await refused([404], call("PATCH", `/api/sources/${source}`, own.token, { name: "mine" }));
  await refused([404], call("DELETE", `/api/sources/${source}`, own.token));
  for (const path of ["reextract", "cancel", "download-url"]) {
    await refused([404], post(`/api/sources/${source}/${path}`, own.token, {}));
  }
}

/** Who has not signed in is told nothing at all. */
export async function nobodyIsTold(knowledgeBase: string, source: string): Promise<void> {
  const search = { query: QUESTION };
  await refused([401, 403], post(`/api/knowledge-bases/${knowledgeBase}/search`, ANON_KEY, search));
  await refused([401, 403], get(`/api/sources/${source}`, ANON_KEY));
  await refused([401], get("/rest/v1/chunks?select=text", "not-a-token"));
  const [head, body, signature] = bob.token.split(".");
  const claims = JSON.parse(Buffer.from(body!, "base64url").toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, role: "service_role" })).toString("base64url");
  for (const token of [`${head}.${forged}.${signature}`, `${head}.${forged}.`]) {
    await refused([401], post(`/api/knowledge-bases/${knowledgeBase}/search`, token, search));
  }
}
