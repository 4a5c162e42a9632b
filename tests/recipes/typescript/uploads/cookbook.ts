// Recipe 3 as the platform's cookbook has it: a file to ask questions about goes to /api/sources with the service key, a file to show
// goes to the app's own bucket with the user's token.
import { admin, formOf, ok, post, SERVICE_ROLE_KEY, settled, type User } from "../app.ts";

/** A user's knowledge base, and an agent that searches it. Each user has their own. */
export interface Desk {
  knowledgeBase: string;
  agent: string;
}

export async function newDesk(owner: User, model: string): Promise<Desk> {
  const { id: knowledgeBase } = await post("/api/knowledge-bases", SERVICE_ROLE_KEY, { name: `files of ${owner.id}` });
  const { id: agent } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "reader", model });
  await post(`/api/agents/${agent}/knowledge-bases`, SERVICE_ROLE_KEY, { knowledge_base_id: knowledgeBase });
  return { knowledgeBase, agent };
}

/** Uploads a document, notes whose it is, waits until it is read, and has it indexed. */
export async function uploadDocument(file: File, owner: User, desk: Desk): Promise<string> {
  const { id } = await post("/api/sources/upload", SERVICE_ROLE_KEY, formOf(file));
  // Written by the back end: a user who could write here could claim a source of somebody else.
  await ok(admin.from("documents").insert({ source_id: id, owner_id: owner.id, title: file.name }));
  await settled(`/api/sources/${id}`, SERVICE_ROLE_KEY);
  const sources = `/api/knowledge-bases/${desk.knowledgeBase}/sources`;
  const place = await post(sources, SERVICE_ROLE_KEY, { source_id: id });
  await settled(`${sources}/${place.id}`, SERVICE_ROLE_KEY);
  return id;
}

/** Asks about the documents of a desk, with the service key. */
export async function ask(desk: Desk, message: string): Promise<any> {
  return post(`/api/agents/${desk.agent}/run`, SERVICE_ROLE_KEY, { message });
}

/** Keeps a file to show it later, in the user's own folder. */
export async function keepAttachment(file: File, user: User): Promise<string> {
  const path = `${user.id}/${file.name}`;
  await ok(user.supabase.storage.from("attachments").upload(path, file, { contentType: file.type }));
  return path;
}
