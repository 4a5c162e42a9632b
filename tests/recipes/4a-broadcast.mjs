// Recipe 4a of the platform's cookbook, its second half: the app's back end reads the stream of a user's run, and mirrors each event to the
// user's channel with the service key. The test gives it everything in the environment.

const { BASE_URL, SERVICE_KEY, USER, AGENT, MESSAGE } = process.env;
const headers = { apikey: SERVICE_KEY, Authorization: `Bearer ${SERVICE_KEY}`, "Content-Type": "application/json" };

async function broadcast(event, payload) {
  const response = await fetch(`${BASE_URL}/realtime/v1/api/broadcast`, {
    method: "POST",
    headers,
    body: JSON.stringify({ messages: [{ topic: `chat:${USER}`, event, payload, private: true }] }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

const response = await fetch(`${BASE_URL}/api/agents/${AGENT}/run/stream`, {
  method: "POST",
  headers: { ...headers, "X-Behalf-Act-As": USER },
  body: JSON.stringify({ message: MESSAGE }),
});
if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);

const reader = response.body.getReader();
const decoder = new TextDecoder();
let seen = 0;
while (true) {
  const { done, value } = await reader.read();
  if (done) break;
  for (const line of decoder.decode(value).split("\n")) {
    if (!line.startsWith("data: ")) continue;
    const event = JSON.parse(line.slice(6));
    await broadcast(event.event, event);
    seen += 1;
  }
}
console.log(JSON.stringify({ seen }));
