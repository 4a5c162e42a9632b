// Recipe 4 as the platform's cookbook has it: the app's back end reads the stream of a run, and tells the user's channel of it. In
// pattern 4a it sends each event itself; in pattern 4b it stores each event, and a trigger sends it.
import { admin, BASE_URL, ok, post, SERVICE_ROLE_KEY, type User } from "../app.ts";

/** Starts a run with the service key. */
function run(agent: string, message: string): Promise<Response> {
  return fetch(`${BASE_URL}/api/agents/${agent}/run/stream`, {
    method: "POST",
    headers: {
      apikey: SERVICE_ROLE_KEY,
      Authorization: `Bearer ${SERVICE_ROLE_KEY}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ message }),
  });
}

/** Pattern 4a: keeps what lasts, and sends everything to the user's channel. */
export async function streamAndBroadcast(agent: string, userId: string, message: string): Promise<void> {
  const response = await run(agent, message);
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  const topic = `chat:${userId}`;
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    for (const line of decoder.decode(value).split("\n")) {
      if (!line.startsWith("data: ")) continue;
      const event = JSON.parse(line.slice(6));
      if (event.event === "chunk" || event.event === "complete") {
        await ok(admin.from("chat_messages").insert({ user_id: userId, payload: event }));
      }
      await broadcast({ topic, event: event.event, payload: event });
    }
  }
}

async function broadcast(message: { topic: string; event: string; payload: unknown }): Promise<void> {
  await post("/realtime/v1/api/broadcast", SERVICE_ROLE_KEY, { messages: [{ ...message, private: true }] });
}

/** Pattern 4b: stores every event. The trigger on the table sends it. */
export async function streamAndStore(agent: string, userId: string, message: string): Promise<void> {
  const response = await run(agent, message);
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    for (const line of decoder.decode(value).split("\n")) {
      if (!line.startsWith("data: ")) continue;
      await ok(admin.from("chat_messages").insert({ user_id: userId, payload: JSON.parse(line.slice(6)) }));
    }
  }
}

/** On each of the user's devices: hears the user's channel. */
export async function listen(user: User, heard: (event: string, payload: any) => void): Promise<void> {
  await user.supabase.realtime.setAuth(user.token);
  const channel = user.supabase.channel(`chat:${user.id}`, { config: { private: true } });
  channel.on("broadcast", { event: "*" }, ({ event, payload }) => heard(event, payload));
  await new Promise<void>((resolve, reject) => {
    channel.subscribe((status, error) => (status === "SUBSCRIBED" ? resolve() : reject(error ?? new Error(status))));
  });
}

export async function newAgent(model: string): Promise<string> {
  const { id: agent } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "writer", model });
  await post(`/api/agents/${agent}/tools`, SERVICE_ROLE_KEY, { tool_type: "builtin", tool_name: "echo" });
  return agent;
}
