// Recipe 1 with the user's own token in each request. The document belongs to who uploads it, and the agent's search finds what its
// caller may read, so there are no policies to write, no chunks to carry, and no back end.
import { formOf, post, SERVICE_ROLE_KEY, settled, type User } from "../app.ts";

/** Once: a base to which every user may add documents, and an agent that searches it. */
export async function setUp(model: string): Promise<{ knowledgeBase: string; agent: string }> {
  const base = { name: `boats of ${model}`, contributors: "authenticated" };
  const { id: knowledgeBase } = await post("/api/knowledge-bases", SERVICE_ROLE_KEY, base);
  const { id: agent } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "helper", model });
  await post(`/api/agents/${agent}/knowledge-bases`, SERVICE_ROLE_KEY, { knowledge_base_id: knowledgeBase });
  return { knowledgeBase, agent };
}

/** The user uploads a document, and puts it into the base. */
export async function addDocument(knowledgeBase: string, user: User, file: File): Promise<string> {
  const { id } = await post("/api/sources/upload", user.token, formOf(file));
  await settled(`/api/sources/${id}`, user.token);
  const sources = `/api/knowledge-bases/${knowledgeBase}/sources`;
  const place = await post(sources, user.token, { source_id: id });
  await settled(`${sources}/${place.id}`, user.token);
  return id;
}

/** The user asks the agent. */
export async function ask(agent: string, message: string, user: User): Promise<any> {
  return post(`/api/agents/${agent}/run`, user.token, { message });
}
