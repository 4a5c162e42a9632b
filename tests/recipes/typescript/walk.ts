// What the tests add to the app: two users, steps that have names, and what has to be refused.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { admin, ANON_KEY, Refused, setting, signIn, type User } from "./app.ts";

/** The models that answer, such as a scripted one behind an OpenAI-compatible address, and builtin/extractive. */
export const MODELS = setting("MODELS").split(",");

/** The other kind of model: it obeys commands and writes no arguments of its own. */
export function isBuiltin(model: string): boolean {
  return model.startsWith("builtin/");
}

/** A user with a word that stands in what they have, and that nobody else may ever see. */
export interface Person extends User {
  name: string;
  canary: string;
  email: string;
}

const PASSWORD = "mauve lantern 7 xq";

async function signedUp(name: string): Promise<Person> {
  const email = `${name}-${randomBytes(4).toString("hex")}@example.com`;
  const { error } = await admin.auth.admin.createUser({ email, password: PASSWORD, email_confirm: true });
  if (error) throw error;
  return { ...(await signIn(email, PASSWORD)), name, email, canary: `${name}finch${randomBytes(6).toString("hex")}` };
}

export const alice = await signedUp("alice");
export const bob = await signedUp("bob");

/** Each with the other. */
export const both: [Person, Person][] = [
  [alice, bob],
  [bob, alice],
];

/** Bearer tokens of nobody: none at all, no token, a user's token with another signature, and the public key. */
export const ANYBODY = ["", "not-a-token", `${alice.token.slice(0, -6)}AAAAAA`, ANON_KEY];

/** The same person at another device. */
export async function deviceOf(person: Person): Promise<User> {
  return signIn(person.email, PASSWORD);
}

/** What one may be told: their own word, and not the other's. */
export function isOwn(told: unknown, own: Person, other: Person): void {
  const text = typeof told === "string" ? told : JSON.stringify(told);
  assert.ok(text.includes(own.canary), `${own.name} is not told what is theirs: ${text}`);
  isNone(text, other);
}

/** What nobody but its owner may be told. */
export function isNone(told: unknown, owner: Person): void {
  const text = typeof told === "string" ? told : JSON.stringify(told);
  assert.ok(!text.includes(owner.canary), `what is ${owner.name}'s is told: ${text}`);
}

/** A request to /api that has to end with one of these statuses. */
export async function refused(statuses: number[], request: Promise<unknown>): Promise<any> {
  try {
    const answer = await request;
    assert.fail(`expected ${statuses}, got ${JSON.stringify(answer)}`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    assert.ok(statuses.includes(error.status), `expected ${statuses}: ${error.message}`);
    return error.body;
  }
}

/** A request of a client of Supabase that has to end with an error of this code or status. */
export async function denied(code: string, query: PromiseLike<{ data: unknown; error: any }>): Promise<void> {
  const { data, error } = await query;
  assert.ok(error, `expected ${code}, got ${JSON.stringify(data)}`);
  const codes = [error.code, error.statusCode, error.status].map(String);
  assert.ok(codes.includes(code), `expected ${code}, got ${codes} ${error.message}`);
}

/** A change of rows that somebody may not change: it is refused, or finds no row. */
export async function changesNone(query: PromiseLike<{ data: unknown; error: any }>): Promise<void> {
  const { data, error } = await query;
  if (error) assert.equal(error.code, "42501", error.message);
  else assert.deepEqual(data, []);
}

/** Everything that a table says to somebody: its rows, or why not. */
export async function rowsOf(user: User, schema: string, table: string): Promise<string> {
  const { data, error } = await user.supabase.schema(schema).from(table).select("*");
  return JSON.stringify(data ?? error);
}

/** Asks again until it is so. */
export async function until(what: string, check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_200; tries++) {
    if (check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

const steps: string[] = [];

/** A step that has to succeed. */
export async function step(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(`step "${name}" of ${setting("RECIPE")}`, { cause: error });
  }
  steps.push(name);
}

/** Says what was done. */
export function finish(): never {
  const { version } = JSON.parse(readFileSync("node_modules/@supabase/supabase-js/package.json", "utf8"));
  const canaries = { alice: alice.canary, bob: bob.canary };
  console.log(JSON.stringify({ done: true, client: version, node: process.version, canaries, steps }));
  process.exit(0);
}
