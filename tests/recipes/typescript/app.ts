// What all parts of the app share: where the platform is, the keys of the project, who has signed in, and requests to /api.
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";

export const BASE_URL = setting("BASE_URL");
export const ANON_KEY = setting("ANON_KEY");
/** The app's back end has it, and no browser. */
export const SERVICE_ROLE_KEY = setting("SERVICE_ROLE_KEY");

export function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

const options = { auth: { persistSession: false, autoRefreshToken: false } };

/** The client of the app's back end. It sees the rows of all users. */
export const admin = createClient(BASE_URL, SERVICE_ROLE_KEY, options);

/** Who has signed in. */
export interface User {
  id: string;
  token: string;
  supabase: SupabaseClient;
}

export async function signIn(email: string, password: string): Promise<User> {
  const supabase = createClient(BASE_URL, ANON_KEY, options);
  const { data, error } = await supabase.auth.signInWithPassword({ email, password });
  if (error) throw error;
  return { id: data.user.id, token: data.session.access_token, supabase };
}

/** What a client of Supabase answers. */
export async function ok<T>(query: PromiseLike<{ data: T; error: unknown }>): Promise<NonNullable<T>> {
  const { data, error } = await query;
  if (error) throw error;
  return data as NonNullable<T>;
}

/** An answer of /api that is no success. */
export class Refused extends Error {
  status: number;
  body: any;

  constructor(what: string, status: number, text: string) {
    super(`${what}: ${status} ${text}`);
    this.status = status;
    this.body = text.startsWith("{") ? JSON.parse(text) : text;
  }
}

export function headers(token: string): Record<string, string> {
  return { apikey: ANON_KEY, Authorization: `Bearer ${token}` };
}

export function get(path: string, token: string): Promise<any> {
  return call("GET", path, token);
}

export function post(path: string, token: string, body: unknown): Promise<any> {
  return call("POST", path, token, body);
}

/** A request with a token, to which a JSON object or a form may belong. */
export async function call(method: string, path: string, token: string, body?: unknown): Promise<any> {
  const sent: RequestInit = { method, headers: headers(token) };
  if (body instanceof FormData) {
    // `fetch` itself says where the parts of the form end.
    sent.body = body;
  } else if (body !== undefined) {
    sent.headers = { ...headers(token), "Content-Type": "application/json" };
    sent.body = JSON.stringify(body);
  }
  const response = await fetch(BASE_URL + path, sent);
  const text = await response.text();
  if (!response.ok) throw new Refused(`${method} ${path}`, response.status, text);
  return text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text;
}

/** A form with a file. */
export function formOf(file: File): FormData {
  const form = new FormData();
  form.append("file", file);
  return form;
}

/** Asks again until a source is read, or is indexed in a knowledge base. */
export async function settled(path: string, token: string): Promise<any> {
  for (;;) {
    const row = await get(path, token);
    const status = row.index_status ?? row.extraction_status;
    if (status === "extracted" || status === "indexed") return row;
    if (!["pending", "extracting", "indexing"].includes(status)) throw new Error(`${status}: ${row.error_message}`);
    await sleep(100);
  }
}

/** The events of a stream of a run. A piece of the body may end within one. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<any> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of body) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data: ")) yield JSON.parse(line.slice("data: ".length));
    }
  }
}
