// Recipe 4a of the platform's cookbook as an app has it: read the stream, split it at newlines, keep `chunk` and
// `complete`. Nothing is carried over from one read to the next, so a frame that two reads share is lost or breaks the
// loop; upstream that happens now and then. The test gives it everything in the environment and reads one line of JSON.

const { BASE_URL, ANON_KEY, TOKEN, AGENT, MESSAGE } = process.env;

const response = await fetch(`${BASE_URL}/api/agents/${AGENT}/run/stream`, {
  method: "POST",
  headers: { apikey: ANON_KEY, Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
  body: JSON.stringify({ message: MESSAGE }),
});
if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);

const reader = response.body.getReader();
const decoder = new TextDecoder();
const seen = [];
let answer = "";
let live = "";
let complete = null;
while (true) {
  const { done, value } = await reader.read();
  if (done) break;
  const buffer = decoder.decode(value);
  for (const line of buffer.split("\n")) {
    if (!line.startsWith("data: ")) continue;
    const event = JSON.parse(line.slice(6));
    seen.push(event.event);
    if (event.event === "content_delta") live += event.delta;
    if (event.event === "chunk") answer += event.content;
    if (event.event === "complete") complete = event;
  }
}
console.log(JSON.stringify({ seen, live, answer, complete }));
