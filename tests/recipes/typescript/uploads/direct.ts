// Recipe 3 with the user's own token in each request. A source belongs to who uploads it, so nothing is noted beside it, and one base
// and one agent serve all users.
import { BASE_URL, eventsOf, formOf, headers, post, SERVICE_ROLE_KEY, settled, type User } from "../app.ts";

/** Once: a base to which every user may add files, and an agent that searches it. */
export async function setUp(model: string): Promise<{ knowledgeBase: string; agent: string }> {
  const base = { name: `files for ${model}`, contributors: "authenticated" };
  const { id: knowledgeBase } = await post("/api/knowledge-bases", SERVICE_ROLE_KEY, base);
  const { id: agent } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "reader", model });
  await post(`/api/agents/${agent}/knowledge-bases`, SERVICE_ROLE_KEY, { knowledge_base_id: knowledgeBase });
  return { knowledgeBase, agent };
}

/** Uploads a document, follows how far it is, and has it indexed. */
export async function uploadDocument(
  file: File,
  user: User,
  knowledgeBase: string,
  show: (status: string) => void,
): Promise<string> {
  const { id } = await post("/api/sources/upload", user.token, formOf(file));
  // The stream ends when nothing more happens by itself.
  const progress = await fetch(`${BASE_URL}/api/sources/${id}/events`, { headers: headers(user.token) });
  for await (const event of eventsOf(progress.body!)) show(event.extraction_status);
  const sources = `/api/knowledge-bases/${knowledgeBase}/sources`;
  const place = await post(sources, user.token, { source_id: id });
  await settled(`${sources}/${place.id}`, user.token);
  return id;
}

/** The user asks about their files. */
export async function ask(agent: string, message: string, user: User): Promise<any> {
  return post(`/api/agents/${agent}/run`, user.token, { message });
}

/** An address of a document's file, for whoever has it, for a minute. There is no need to keep the file twice. */
export async function addressOf(source: string, user: User): Promise<string> {
  const { signed_url } = await post(`/api/sources/${source}/download-url`, user.token, { expires_in: 60 });
  return signed_url;
}
