// Who hears and speaks on which channel, for the walks of this recipe.
import assert from "node:assert/strict";
import { createClient, type RealtimeChannel, type SupabaseClient } from "@supabase/supabase-js";
import { ANON_KEY, BASE_URL, headers, post, SERVICE_ROLE_KEY, type User } from "../app.ts";
import { both, deviceOf, isNone, rowsOf, until, type Person } from "../walk.ts";

/** A message that makes the agent say the word, with either kind of model. */
export function messageOf(person: Person): string {
  return `/echo ${JSON.stringify({ text: `Remember berth ${person.canary}.` })}`;
}

/** What a device heard. */
export interface Device {
  user: User;
  heard: { event: string; payload: any }[];
}

/** Devices of both, each of which hears in the app's way. */
export async function devices(
  listen: (user: User, heard: (event: string, payload: any) => void) => Promise<void>,
): Promise<Map<Person, [Device, Device]>> {
  const all = new Map<Person, [Device, Device]>();
  for (const [person] of both) {
    const one = async (): Promise<Device> => {
      const device: Device = { user: await deviceOf(person), heard: [] };
      await listen(device.user, (event, payload) => device.heard.push({ event, payload }));
      return device;
    };
    all.set(person, [await one(), await one()]);
  }
  return all;
}

function joined(channel: RealtimeChannel): Promise<[string, Error | undefined]> {
  return new Promise((resolve) => channel.subscribe((status, error) => resolve([status, error])));
}

const anon: SupabaseClient = createClient(BASE_URL, ANON_KEY, { auth: { persistSession: false, autoRefreshToken: false } });

/** Nobody else joins a user's private channel, however its topic is spelt. */
export async function nobodyElseJoins(): Promise<void> {
  for (const [own, other] of both) {
    const topics = [`chat:${other.id}`, `chat:${other.id.toUpperCase()}`, `chat:${other.id} `, `user:${other.id}`, "chat:"];
    for (const [client, token] of [[own.supabase, own.token], [anon, ANON_KEY]] as const) {
      await client.realtime.setAuth(token);
      for (const topic of topics) {
        const channel = client.channel(topic, { config: { private: true } });
        const [status, error] = await joined(channel);
        assert.equal(status, "CHANNEL_ERROR", topic);
        assert.match(String(error?.message), /Unauthorized/);
        await client.removeChannel(channel);
      }
    }
  }
}

/** Those who listen at the public channels of the same topics, and at the changes of the tables. */
export async function eavesdroppers(): Promise<Device[]> {
  const all: Device[] = [];
  for (const [own, other] of both) {
    const device: Device = { user: await deviceOf(own), heard: [] };
    await device.user.supabase.realtime.setAuth(device.user.token);
    const channel = device.user.supabase.channel(`chat:${other.id}`);
    channel.on("broadcast", { event: "*" }, ({ event, payload }) => device.heard.push({ event, payload }));
    assert.equal((await joined(channel))[0], "SUBSCRIBED");
    all.push(device);
  }
  return all;
}

/** Nobody else speaks on a user's channel: neither by a socket, nor by HTTP, nor by the database. */
export async function nobodyElseSpeaks(all: Map<Person, [Device, Device]>): Promise<void> {
  for (const [own, other] of both) {
    const channel = own.supabase.channel(`chat:${other.id}`, { config: { private: true } });
    await channel.httpSend("forged", { words: "by the client" }).catch(() => {});
    await own.supabase.removeChannel(channel);
    for (const token of [own.token, ANON_KEY]) {
      for (const isPrivate of [true, false]) {
        const forged = { topic: `chat:${other.id}`, event: "forged", payload: { words: "by HTTP" }, private: isPrivate };
        await fetch(`${BASE_URL}/realtime/v1/api/broadcast`, {
          method: "POST",
          headers: { ...headers(token), "Content-Type": "application/json" },
          body: JSON.stringify({ messages: [forged] }),
        });
      }
    }
    const sent = { payload: { words: "by SQL" }, event: "forged", topic: `chat:${other.id}`, private: true };
    assert.ok((await own.supabase.schema("realtime").rpc("send", sent)).error);
    assert.ok((await own.supabase.schema("realtime").from("messages").insert({ topic: sent.topic, extension: "broadcast" })).error);
    isNone(await rowsOf(own, "realtime", "messages"), other);
  }
  await quiet(all);
  for (const [, pair] of all) {
    for (const { heard } of pair) assert.ok(!heard.some(({ event }) => event === "forged"), JSON.stringify(heard));
  }
}

/** Returns once whatever was sent before has arrived: a last message of the back end has come to each device. */
export async function quiet(all: Map<Person, [Device, Device]>): Promise<void> {
  const mark = `mark-${Math.random()}`;
  const messages = [...all.keys()].map(({ id }) => ({ topic: `chat:${id}`, event: "mark", payload: { mark }, private: true }));
  await post("/realtime/v1/api/broadcast", SERVICE_ROLE_KEY, { messages });
  const isThere = ({ heard }: Device) => heard.some(({ event, payload }) => event === "mark" && payload.mark === mark);
  await until("a last message", () => [...all.values()].flat().every(isThere));
}
