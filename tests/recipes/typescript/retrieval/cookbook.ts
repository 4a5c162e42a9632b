// Recipe 1 as the platform's cookbook has it: chunks are read with the user's token, and the run gets them with the service key.
import { admin, BASE_URL, formOf, headers, ok, post, Refused, SERVICE_ROLE_KEY, settled, type User } from "../app.ts";

export interface Chunk {
  id: string;
  text: string;
  score: number;
  source_id: string;
  meta: Record<string, unknown>;
}

/** The back end uploads a document, says whose it is, and puts it into a knowledge base. */
export async function addDocument(knowledgeBase: string, owner: User, file: File): Promise<string> {
  const { id } = await post("/api/sources/upload", SERVICE_ROLE_KEY, formOf(file));
  await ok(admin.from("documents").insert({ source_id: id, owner_id: owner.id, title: file.name }));
  await settled(`/api/sources/${id}`, SERVICE_ROLE_KEY);
  const sources = `/api/knowledge-bases/${knowledgeBase}/sources`;
  const place = await post(sources, SERVICE_ROLE_KEY, { source_id: id });
  await settled(`${sources}/${place.id}`, SERVICE_ROLE_KEY);
  return id;
}

/** Reads the user's chunks of a knowledge base, with the user's token. */
export async function retrieveContext(knowledgeBase: string, token: string, question?: string): Promise<Chunk[]> {
  const params = new URLSearchParams({
    select: "id,text,score,source_id,meta",
    knowledge_base_id: `eq.${knowledgeBase}`,
    order: "score.desc",
    limit: "10",
  });
  const response = await fetch(`${BASE_URL}/rest/v1/chunks?${params}`, {
    headers: {
      ...headers(token),
      "Accept-Profile": "ai",
      // Not in the cookbook: what the score is about. Without it, every score is 0.
      ...(question && { "Behalf-Query": encodeURIComponent(question) }),
    },
  });
  if (!response.ok) throw new Refused("chunks", response.status, await response.text());
  return response.json();
}

/** The same with supabase-js. */
export async function retrieveWithClient(knowledgeBase: string, user: User): Promise<Chunk[]> {
  const chunks = user.supabase.schema("ai").from("chunks").select("id,text,score,source_id,meta");
  return ok(chunks.eq("knowledge_base_id", knowledgeBase).order("score", { ascending: false }).limit(10));
}

/** Gives the chunks to a run that the back end starts. */
export async function askAgent(agent: string, message: string, chunks: Chunk[]): Promise<any> {
  return post(`/api/agents/${agent}/run`, SERVICE_ROLE_KEY, {
    message,
    context_items: chunks.map(({ text, source_id, meta }) => ({ text, source_id, meta })),
  });
}

/** A knowledge base for the documents of all users. */
export async function newKnowledgeBase(): Promise<string> {
  const { id } = await post("/api/knowledge-bases", SERVICE_ROLE_KEY, { name: "boats" });
  return id;
}

/** An agent that searches nothing by itself. */
export async function newAgent(model: string): Promise<string> {
  const { id } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "helper", model });
  return id;
}
