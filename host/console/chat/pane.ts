// The pane of one user: signs in, gives the agent files, asks, and shows the answers.

import { Client, text, type DemoUser, type Json, type Setup } from "./client.js";
import { Copy, counted, element, onPress, words } from "./elements.js";
import { markdown } from "./markdown.js";
import { call, result, statements } from "./results.js";

/** The pane of one user. */
export class Pane {
  readonly root: HTMLElement;
  readonly #user: DemoUser;
  readonly #client: Client;
  readonly #parts: Copy;

  constructor(setup: Setup, user: DemoUser, question: () => string) {
    this.#user = user;
    this.#client = new Client(setup, user);
    this.#parts = new Copy("pane");
    this.root = this.#parts.root;
    this.#name();
    const button = (name: string) => this.#parts.part(name, HTMLButtonElement);
    onPress(button("sign-in"), () => this.signIn());
    onPress(button("upload-sample"), () => this.uploadSample());
    onPress(button("ask"), () => this.ask(question()));
    const input = this.#parts.part("file", HTMLInputElement);
    input.addEventListener("change", async () => {
      const files = [...(input.files ?? [])];
      // The same file can be chosen again.
      input.value = "";
      for (const file of files) await this.#upload(file);
    });
  }

  #name(): void {
    const { name, email, sample } = this.#user;
    const set = (part: string, content: string) => (this.#parts.part(part, HTMLElement).textContent = content);
    const title = this.#parts.part("name", HTMLElement);
    title.textContent = name;
    title.id = `user-${name}`;
    this.root.setAttribute("aria-labelledby", title.id);
    set("email", email);
    set("sign-in", `Sign in as ${name}`);
    set("ask", `Ask as ${name}`);
    set("sample-name", `What is in ${sample.name}`);
    set("sample", sample.text);
    set("upload-sample", "Upload prepared file");
  }

  /** Signs the user in. */
  async signIn(): Promise<void> {
    const said = this.#parts.part("session", HTMLElement);
    const state = this.#parts.part("state", HTMLElement);
    try {
      const session = await this.#client.signIn();
      said.textContent = `The token names user ${session.user.id}.`;
      said.className = "";
      state.textContent = "signed in";
      state.className = "badge on";
    } catch (error) {
      said.textContent = `Signing in failed: ${words(error)}`;
      said.className = "problem";
    }
  }

  /** Uploads the text that is prepared for the user. */
  async uploadSample(): Promise<void> {
    const { name, text: content } = this.#user.sample;
    await this.#upload(new File([content], name, { type: "text/markdown" }));
  }

  /** Signs in, and uploads the text that is prepared for the user. */
  async prepare(): Promise<void> {
    if (this.#client.session === null) await this.signIn();
    if (this.#client.session !== null) await this.uploadSample();
  }

  /** Uploads a file, and says how far it is until the agent can find it. */
  async #upload(file: File): Promise<void> {
    const state = element("span", "state", "uploading …");
    this.#parts.part("files", HTMLElement).append(element("li", "", [element("span", "file", file.name), state]));
    const say = (sentence: string, className: string) => {
      state.textContent = sentence;
      state.className = `state ${className}`;
    };
    try {
      const source = await this.#client.upload(file);
      const read = await last(this.#client.reading(source), (event) => {
        say(`being read: ${text(event, "extraction_status")} …`, "");
      });
      if (text(read, "extraction_status") !== "extracted") throw new Error(why(read, "It cannot be read."));
      const indexed = await last(this.#client.indexing(source), (event) => {
        say(`being indexed: ${text(event, "index_status")} …`, "");
      });
      if (text(indexed, "index_status") !== "indexed") throw new Error(why(indexed, "It cannot be indexed."));
      const chunks = indexed["chunk_count"];
      say(`ready${typeof chunks === "number" ? `, ${counted(chunks, "chunk")}` : ""}`, "ready");
    } catch (error) {
      say(`failed: ${words(error)}`, "problem");
    }
  }

  /** Asks the agent, and shows the answer as it comes, what the user saw, and what ran. */
  async ask(question: string): Promise<void> {
    const exchange = new Exchange(this.#user.name, question);
    this.#parts.part("exchanges", HTMLElement).prepend(exchange.root);
    try {
      // None has such a number, so this asks for the newest number alone.
      const { last: before } = await this.#client.statements(Number.MAX_SAFE_INTEGER);
      for await (const event of this.#client.ask(question)) exchange.show(event);
      exchange.end();
      exchange.showStatements((await this.#client.statements(before)).statements);
    } catch (error) {
      exchange.fail(words(error));
    }
  }
}

/** The last event of a stream; each is shown. */
async function last(events: AsyncGenerator<Json>, show: (event: Json) => void): Promise<Json> {
  let latest: Json = {};
  for await (const event of events) {
    // Whoever follows hears of it when the file is gone.
    latest = event;
    if (text(event, "event") === "status") show(event);
  }
  return latest;
}

/** Why a file is not ready. */
function why(event: Json, otherwise: string): string {
  return text(event, "error_message") || text(event, "message") || otherwise;
}

/** One question with its answer. */
class Exchange {
  readonly #parts = new Copy("exchange");
  readonly #user: string;
  #answer = "";
  #isOver = false;

  constructor(user: string, question: string) {
    this.#user = user;
    this.#part("question").textContent = question;
    this.#say("asked …");
  }

  get root(): HTMLElement {
    return this.#parts.root;
  }

  #part(name: string): HTMLElement {
    return this.#parts.part(name, HTMLElement);
  }

  #say(sentence: string, className = ""): void {
    const progress = this.#part("progress");
    progress.textContent = sentence;
    progress.className = className;
  }

  /** Shows an event of the run. */
  show(event: Json): void {
    switch (text(event, "event")) {
      case "content_delta":
        this.#showAnswer(this.#answer + text(event, "delta"));
        break;
      case "step_reset":
        this.#showAnswer("");
        break;
      case "tool_call":
        this.#say(`the agent calls ${text(event, "tool_name")} …`);
        this.#part("seen").append(call(text(event, "tool_name"), event["arguments"]));
        this.#part("seen-box").hidden = false;
        break;
      case "tool_result":
        this.#showResult(event);
        break;
      case "error":
        this.fail(text(event, "message") || text(event, "error"));
        break;
      case "complete":
        this.#complete(event);
        break;
    }
  }

  #showAnswer(answer: string): void {
    this.#answer = answer;
    this.#part("answer").replaceChildren(...markdown(answer));
  }

  #showResult(event: Json): void {
    this.#say("the agent answers …");
    const meta = event["result_meta"] as Json | undefined;
    if (meta?.["is_error"] === true) {
      this.#part("seen-title").textContent = `${this.#user} saw nothing`;
      this.#part("seen").append(element("p", "problem", text(event, "result").replace(/^Error: /, "")));
      return;
    }
    const shown = result(text(event, "tool_name"), text(event, "result"));
    this.#part("seen-title").textContent = `${this.#user} saw ${shown.summary}`;
    this.#part("seen").append(shown.content);
  }

  #complete(event: Json): void {
    this.#isOver = true;
    if (text(event, "status") === "completed") this.#say("answered", "done");
    else this.fail(text(event, "error") || `The run ended as ${text(event, "status")}.`);
  }

  /** The stream has ended. */
  end(): void {
    this.#part("answer").setAttribute("aria-busy", "false");
    if (!this.#isOver) this.fail("The stream broke off before the answer was complete.");
  }

  /** Says what went wrong. */
  fail(sentence: string): void {
    this.#isOver = true;
    this.#part("answer").setAttribute("aria-busy", "false");
    this.#say(sentence, "problem");
  }

  /** Shows the statements that ran meanwhile. */
  showStatements(all: Parameters<typeof statements>[0]): void {
    const refused = all.filter((one) => one.verdict !== "allowed").length;
    const role = all[0] === undefined ? "" : `, role ${all[0].role}`;
    const more = refused > 0 ? `; ${refused} refused` : "";
    this.#part("statements-title").textContent = `${counted(all.length - refused, "statement")} ran as ${this.#user}${role}${more}`;
    this.#part("statements").append(statements(all));
    this.#part("statements-box").hidden = false;
  }
}
