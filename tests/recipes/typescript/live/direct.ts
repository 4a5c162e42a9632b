// Recipe 4 with the user's own token in each request. The agent's setting `mirror_to_channel` tells the user's channel each event of a
// run, so there is no back end, no table, no trigger and no policy.
import { post, SERVICE_ROLE_KEY, type User } from "../app.ts";

/** Once: an agent whose runs are told to their users' channels. */
export async function newAgent(model: string): Promise<string> {
  const settings = { mirror_to_channel: true };
  const { id: agent } = await post("/api/agents", SERVICE_ROLE_KEY, { name: "writer", model, settings });
  await post(`/api/agents/${agent}/tools`, SERVICE_ROLE_KEY, { tool_type: "builtin", tool_name: "echo" });
  return agent;
}

/** On one device: starts a run. All devices of the user hear it. */
export async function ask(agent: string, message: string, user: User, session_id?: string): Promise<any> {
  return post(`/api/agents/${agent}/run`, user.token, { message, session_id });
}

/** On each device: hears the events of the user's runs. */
export async function listen(user: User, heard: (event: any) => void): Promise<void> {
  await user.supabase.realtime.setAuth(user.token);
  const channel = user.supabase.channel(`chat:${user.id}`, { config: { private: true } });
  channel.on("broadcast", { event: "run_event" }, ({ payload }) => heard(payload.data));
  await new Promise<void>((resolve, reject) => {
    channel.subscribe((status, error) => (status === "SUBSCRIBED" ? resolve() : reject(error ?? new Error(status))));
  });
}
