/** What a tool in JavaScript sees of the world. The tables in ../../README.md say what is expected of it. */

import { Content, DatabaseError, HttpError, StorageError, ToolError, defineTool, exportTools, json, query, scope, storage, vector } from "behalf-sdk";

const built = Math.random();

const nothing = { type: "object", properties: {}, additionalProperties: false };

const values = defineTool({
  name: "values",
  description: "Values that no two calls may share.",
  input: nothing,
  readOnly: true,
  call() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return {
      random: Math.random(),
      uuid: crypto.randomUUID(),
      bytes: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      now_ms: Date.now(),
      time_ms: new Date().getTime(),
      built,
    };
  },
});

const TYPES = String.raw`
  select 7::int2 as small, 9007199254740991::int8 as large, 0.1::float8 as fraction,
         12345678901234567890.123456789::numeric as amount, true as flag, 'é "x" \ y' as label,
         '00000000-0000-4000-8000-000000000001'::uuid as id, '2026-02-28'::date as day,
         '2026-02-28 10:00:00.123456+00'::timestamptz as moment, '{"a": [1, null]}'::jsonb as data,
         array['a', null, 'b "c"'] as labels, array[1, 2]::int8[] as numbers, '\x00ff'::bytea as raw,
         '[1,2.5]'::vector as embedding, null::text as nothing`;

const SAME = String.raw`
  select $1 = 7::int2 and $2 = 9007199254740991::int8 and $3 = 0.1::float8
     and $4 = 12345678901234567890.123456789::numeric and $5 = true and $6 = 'é "x" \ y'
     and $7 = '00000000-0000-4000-8000-000000000001'::uuid and $8 = '2026-02-28'::date
     and $9 = '2026-02-28 10:00:00.123456+00'::timestamptz and $10 = '{"a": [1, null]}'::jsonb
     and $11 is not distinct from array['a', null, 'b "c"'] and $12 = array[1, 2]::int8[] and $13 = '\x00ff'::bytea
     and $14::vector = '[1,2.5]'::vector and $15::text is null as same`;

const types = defineTool({
  name: "types",
  description: "A row with a column of each kind.",
  input: nothing,
  readOnly: true,
  call() {
    const [row] = query(TYPES);
    const kinds = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, kind(value)]));
    const parameters = { ...row, data: json(row.data), embedding: vector(row.embedding) };
    return { row, kinds, returned: query(SAME, ...Object.values(parameters))[0].same };
  },
});

function kind(value) {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor.name : typeof value;
}

const fails = defineTool({
  name: "fails",
  description: "Fails in the way that is asked for.",
  input: {
    type: "object",
    properties: {
      how: { enum: ["tool", "database", "uncaught", "recursion", "result", "half", "caught", "scope", "integer"] },
    },
    required: ["how"],
    additionalProperties: false,
  },
  readOnly: true,
  call({ how }) {
    switch (how) {
      case "tool":
        throw new ToolError("No entry.", { code: "denied", retryable: true });
      case "database":
        return query("select secret from public.nothing");
      case "uncaught":
        throw new RangeError("swordfish");
      case "recursion":
        return (function deeper() {
          return deeper() + 1;
        })();
      case "half":
        console.warn("half a character: \ud800");
        throw new ToolError("half a character: \ud800");
      case "result":
        return { number: NaN };
      case "integer":
        return query("select 9007199254740993::int8 as large");
      case "scope":
        try {
          return scope(() => query("select 1 / 0"));
        } catch (error) {
          return { code: error.code, after: query("select 2 as two")[0].two };
        }
      default:
        try {
          return query("select 1 / 0");
        } catch (error) {
          if (!(error instanceof DatabaseError)) throw error;
          console.warn("caught", error.code);
          return { code: error.code };
        }
    }
  },
});

const identity = defineTool({
  name: "identity",
  description: "Who the call is for, and what they see.",
  input: nothing,
  readOnly: true,
  call(_, { caller }) {
    const titles = query("select title from public.notes order by title").map(({ title }) => title);
    return { subject: caller.subject, role: caller.role, titles };
  },
});

const objects = defineTool({
  name: "objects",
  description: "Writes an object, looks at it in every way, and removes it.",
  input: { type: "object", properties: { folder: { type: "string" } }, required: ["folder"], additionalProperties: false },
  call({ folder }) {
    const name = `${folder}/js.txt`;
    storage.write("files", name, "é\n", { contentType: "text/csv" });
    const { objects: listed, next } = storage.list("files", `${folder}/`, { limit: 1 });
    const { bytes, contentType } = storage.read("files", name);
    const url = storage.signedUrl("files", name, 60);
    const answer = { listed: listed.map((one) => [one.name === name, one.size]), next, bytes: bytes.length, contentType };
    answer.text = storage.readText("files", name);
    answer.signed = url.includes("js.txt");
    storage.remove("files", name);
    try {
      storage.read("files", name);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      answer.code = error.code;
    }
    return answer;
  },
});

const text = { type: "object", properties: { base: { type: "string" } }, required: ["base"], additionalProperties: false };

const web = defineTool({
  name: "web",
  description: "Sends requests, and looks at what comes of them.",
  input: text,
  openWorld: true,
  async call({ base }) {
    const headers = { "X-Made-By": "js", "Content-Type": "application/json" };
    const posted = await fetch(`${base}/echo`, { method: "POST", body: JSON.stringify({ a: "é" }), headers });
    const [missing, echoed] = await Promise.all([fetch(`${base}/missing`), fetch(`${base}/echo`, { signal: AbortSignal.timeout(5000) })]);
    const answer = { posted: [posted.status, await posted.text()], missing: missing.status, fetch: echoed.status };
    try {
      await fetch("https://denied.example.com/");
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      answer.denied = [error.code, error.message];
    }
    return answer;
  },
});

const later = defineTool({
  name: "later",
  description: "Waits for this and that.",
  input: { type: "object", properties: { number: { type: "integer" } }, required: ["number"], additionalProperties: false },
  async call({ number }) {
    async function* numbers() {
      yield number;
      yield* [await Promise.resolve(1)];
    }
    let sum = 0;
    for await (const one of numbers()) sum += one;
    return sum;
  },
});

const mistakes = defineTool({
  name: "mistakes",
  description: "Does what works elsewhere.",
  input: {
    type: "object",
    properties: { which: { enum: ["collections", "locale", "array", "date"] } },
    required: ["which"],
    additionalProperties: false,
  },
  async call({ which }) {
    try {
      switch (which) {
        case "collections":
          return { map: new Map([["a", new Set([1n, 2n ** 60n])]]), when: new Date(0) };
        case "locale":
          return (1234.5).toLocaleString("de-DE");
        case "array":
          return query("select title from public.notes where title = $1", ["a"]);
        default:
          return json(query("select $1", new Date("x")));
      }
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  },
});

const shown = defineTool({
  name: "shown",
  description: "A result that is more than data.",
  input: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  readOnly: true,
  resource: { uri: "shown://{name}", mimeType: "text/plain" },
  call({ name }, context) {
    context.partial({ name });
    return new Content()
      .text(`It is ${name}.`)
      .image("image/png", new Uint8Array([0, 255]))
      .file("shown://file", "text/markdown", "# é");
  },
});

const asked = defineTool({
  name: "asked",
  description: "A prompt.",
  input: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  readOnly: true,
  prompt: true,
  call: ({ name }) => `Tell me of ${name}.`,
});

export const tool = exportTools(values, types, fails, identity, objects, web, later, mistakes, shown, asked);
