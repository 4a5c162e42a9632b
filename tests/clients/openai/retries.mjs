// Asks an agent once, with a client as its package makes it: whatever it sends again by itself, it sends again. Prints what came of it,
// for the test.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { BASE_URL, TOKEN, QUESTION, CLIENTS, CLIENT } = process.env;
const require = createRequire(`${CLIENTS}/`);
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const baseURL = `${BASE_URL}/v1`;

const clients = {
  openai: async () => {
    const { default: OpenAI } = await load("openai");
    const client = new OpenAI({ baseURL, apiKey: TOKEN });
    const answer = await client.chat.completions.create({
      model: "helper",
      messages: [{ role: "user", content: QUESTION }],
    });
    return answer.choices[0].message.content;
  },
  ai: async () => {
    const { generateText } = await load("ai");
    const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
    const provider = createOpenAICompatible({ name: "behalf", baseURL, apiKey: TOKEN });
    return (await generateText({ model: provider("helper"), prompt: QUESTION })).text;
  },
  langchain: async () => {
    const { ChatOpenAI } = await load("@langchain/openai");
    const model = new ChatOpenAI({ model: "helper", apiKey: TOKEN, configuration: { baseURL } });
    return (await model.invoke(QUESTION)).content;
  },
};

try {
  console.log(JSON.stringify({ text: await clients[CLIENT]() }));
} catch (error) {
  console.log(JSON.stringify({ status: error.status ?? error.statusCode, message: error.message }));
}
