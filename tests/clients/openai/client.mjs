// Uses a host as any program does that speaks OpenAI's API, with the official package. Prints what it got, for the test.
import { createRequire } from "node:module";

const { BASE_URL, TOKEN, QUESTION, CLIENTS } = process.env;
const { default: OpenAI } = createRequire(`${CLIENTS}/`)("openai");
const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: TOKEN, maxRetries: 0 });

const models = [];
for await (const model of client.models.list()) models.push(model);
const named = async (name) => (await client.models.retrieve(models.find((model) => model.name === name).id)).id;
const messages = [{ role: "user", content: QUESTION }];

const plain = await client.chat.completions.create({ model: await named("helper"), messages });

let streamed = "";
let cost;
const stream = await client.chat.completions.create({
  model: "helper",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  cost = chunk.usage ?? cost;
}

const parsed = await client.chat.completions.parse({
  model: await named("scripted"),
  messages: [{ role: "system", content: "Answer in JSON." }, ...messages],
  response_format: {
    type: "json_schema",
    json_schema: { name: "count", strict: true, schema: { type: "object", properties: { count: { type: "integer" } } } },
  },
});

const refused = async (client, body) => {
  try {
    await client.chat.completions.create({ model: "helper", messages, ...body });
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
};
const stranger = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: "sk-wrong", maxRetries: 0 });

console.log(
  JSON.stringify({
    plain: plain.choices[0].message.content,
    finish: plain.choices[0].finish_reason,
    streamed,
    cost: cost.total_tokens,
    parsed: parsed.choices[0].message.parsed ?? JSON.parse(parsed.choices[0].message.content),
    stranger: await refused(stranger, {}),
    missing: await refused(client, { model: "nobody" }),
    tools: await refused(client, { tools: [{ type: "function", function: { name: "x", parameters: {} } }] }),
  }),
);
