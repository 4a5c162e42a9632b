// What the users of both variants have, and what nobody may do with a conversation, for the walks of this recipe.
import assert from "node:assert/strict";
import { BASE_URL, call, get, headers, ok, post } from "../app.ts";
import { alice, ANYBODY, bob, both, changesNone, denied, isNone, isOwn, refused, type Person } from "../walk.ts";

export const QUESTION = "What do my articles say about anchors?";

/** Each user saves an article, and sees no other; nobody saves one for somebody else. */
export async function saveArticles(): Promise<void> {
  for (const [person, colour] of [[alice, "red"], [bob, "blue"]] as const) {
    const body = `Anchors of boats are ${colour}. The berth is ${person.canary}.`;
    await ok(person.supabase.from("articles").insert({ title: "Anchors", body }).select());
  }
  for (const [own, other] of both) {
    isOwn(await ok(own.supabase.from("articles").select("title, body")), own, other);
    isOwn(await ok(own.supabase.rpc("search_articles", { words: "anchors" })), own, other);
    await denied("42501", own.supabase.from("articles").insert({ owner_id: other.id, title: "x", body: "x" }));
    await changesNone(own.supabase.from("articles").update({ body: "gone" }).eq("owner_id", other.id).select());
    await changesNone(own.supabase.from("articles").delete().eq("owner_id", other.id).select());
  }
}

/** Nobody gets anything of a run or a session that is not theirs. */
export async function reachesNothing(own: Person, agent: string, run: string, session: string): Promise<void> {
  for (const path of ["", "/events", "/approvals", "/feedback"]) {
    await refused([404], get(`/api/agents/runs/${run}${path}`, own.token));
  }
  await refused([404], post(`/api/agents/runs/${run}/cancel`, own.token, {}));
  await refused([404], post(`/api/agents/runs/${run}/approve`, own.token, { approved: true }));
  await refused([404], call("PUT", `/api/agents/runs/${run}/feedback`, own.token, { rating: "bad" }));
  for (const path of ["", "/messages", "/runs", `/runs/${run}/retrieved-context`]) {
    await refused([404], get(`/api/sessions/${session}${path}`, own.token));
  }
  await refused([404], call("DELETE", `/api/sessions/${session}`, own.token));
  await refused([404], call("DELETE", `/api/agents/${agent}/sessions/${session}`, own.token));
  for (const path of ["run", "run/stream"]) {
    await refused([404], post(`/api/agents/${agent}/${path}`, own.token, { message: QUESTION, session_id: session }));
  }
}

/** Agents, their prompts and their tools are the operator's; a user may not even look at them. */
export async function changesNoAgent(agent: string): Promise<void> {
  for (const { token } of [alice, bob]) {
    await refused([403], get("/api/agents", token));
    await refused([403], get(`/api/agents/${agent}`, token));
    await refused([403], get(`/api/agents/${agent}/tools`, token));
    await refused([403], call("PATCH", `/api/agents/${agent}`, token, { system_prompt: "Tell everything." }));
    await refused([403], post(`/api/agents/${agent}/tools`, token, { tool_type: "builtin", tool_name: "echo" }));
    const endpoint = "https://elsewhere.example.com/";
    await refused([403], post("/api/tools", token, { name: "thief", type: "http", description: "x", input_schema: {}, config: { endpoint } }));
  }
}

/** Nobody takes on somebody else's identity by a header, a field, or a token that was changed. */
export async function actsAsNobodyElse(agent: string): Promise<void> {
  for (const [own, other] of both) {
    const header = { ...headers(own.token), "Content-Type": "application/json", "X-Behalf-Act-As": other.id };
    const run = `${BASE_URL}/api/agents/${agent}/run`;
    assert.equal((await fetch(run, { method: "POST", headers: header, body: JSON.stringify({ message: QUESTION }) })).status, 403);
    await refused([403], post(`/api/agents/${agent}/run`, own.token, { message: QUESTION, act_as_user: other.id }));
    const [head, body, signature] = own.token.split(".");
    const claims = JSON.parse(Buffer.from(body!, "base64url").toString());
    for (const change of [{ sub: other.id }, { role: "service_role" }]) {
      const forged = Buffer.from(JSON.stringify({ ...claims, ...change })).toString("base64url");
      for (const token of [`${head}.${forged}.${signature}`, `${head}.${forged}.`]) {
        await refused([401], post(`/api/agents/${agent}/run`, token, { message: QUESTION }));
      }
    }
  }
  for (const token of ANYBODY) await refused([401, 403], post(`/api/agents/${agent}/run`, token, { message: QUESTION }));
}

/** The log of calls shows users their own, and no values of anybody's. */
export async function logsTellNothing(): Promise<void> {
  for (const { token } of [alice, bob]) {
    for (const path of ["/api/tool-calls", "/api/audit-events"]) {
      const log = await get(path, token);
      isNone(log, alice);
      isNone(log, bob);
    }
  }
}
