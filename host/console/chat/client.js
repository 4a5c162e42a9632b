// Requests to the host, as an app makes them: with the project's public key and the token of the user who asks.
/** A request that failed, in words for the person before the page. */
export class Failure extends Error {
    status;
    answer;
    constructor(message, status, answer) {
        super(message);
        this.status = status;
        this.answer = answer;
    }
}
async function send(path, request) {
    const headers = new Headers();
    if (request.key !== undefined)
        headers.set("apikey", request.key);
    if (request.token !== undefined)
        headers.set("Authorization", `Bearer ${request.token}`);
    if (request.json !== undefined)
        headers.set("Content-Type", "application/json");
    const body = request.form ?? (request.json === undefined ? null : JSON.stringify(request.json));
    let response;
    try {
        response = await fetch(path, { method: body === null ? "GET" : "POST", headers, body });
    }
    catch {
        throw new Failure("The host does not answer. Does `behalf dev` still run?", 0, {});
    }
    if (!response.ok)
        throw await failure(response);
    return response;
}
/** The sentence of an error. Each API has it in a place of its own. */
async function failure(response) {
    let answer = {};
    try {
        answer = (await response.json());
    }
    catch {
        // It is no JSON, so the status is all there is.
    }
    const words = [answer["detail"], answer["msg"], answer["message"], answer["error_description"], answer["error"]];
    const sentence = words.find((word) => typeof word === "string" && word !== "");
    const shown = typeof sentence === "string" ? sentence : `The host answered with status ${response.status}.`;
    return new Failure(shown, response.status, answer);
}
/** The JSON objects of a stream of server-sent events. */
async function* events(response) {
    if (response.body === null)
        return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
        const { done, value } = await reader.read();
        if (done)
            return;
        rest += value;
        for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
            const lines = rest.slice(0, end).split("\n");
            rest = rest.slice(end + 2);
            const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice("data:".length));
            if (data.length > 0)
                yield JSON.parse(data.join("\n"));
        }
    }
}
/** What the page needs to begin. */
export async function setup() {
    return (await (await send("/demo/chat/setup", {})).json());
}
/** Requests of one user. */
export class Client {
    #setup;
    #user;
    #session = null;
    #conversation = null;
    constructor(setup, user) {
        this.#setup = setup;
        this.#user = user;
    }
    /** The signed-in user. */
    get session() {
        return this.#session;
    }
    /** Signs the user in, with address and password. */
    async signIn() {
        const json = { email: this.#user.email, password: this.#user.password };
        const answer = await send("/auth/v1/token?grant_type=password", { key: this.#setup.anon_key, json });
        this.#session = (await answer.json());
        return this.#session;
    }
    /** Uploads a file, and returns the id of the source. A file that the user has already is no failure. */
    async upload(file) {
        const form = new FormData();
        form.append("file", file, file.name);
        try {
            const answer = await this.#send("/api/sources/upload", { form });
            return text((await answer.json()), "id");
        }
        catch (error) {
            const known = error instanceof Failure ? error.answer["duplicate"] : undefined;
            if (typeof known === "object" && known !== null)
                return text(known, "id");
            throw error;
        }
    }
    /** Follows a source until its text was read, or cannot be. */
    async *reading(source) {
        yield* events(await this.#send(`/api/sources/${encodeURIComponent(source)}/events`, {}));
    }
    /** Puts a source into the knowledge base, and follows it until it can be found, or cannot be indexed. */
    async *indexing(source) {
        const base = `/api/knowledge-bases/${encodeURIComponent(this.#setup.knowledge_base_id)}/sources`;
        const added = (await (await this.#send(base, { json: { source_id: source } })).json());
        yield* events(await this.#send(`${base}/${encodeURIComponent(text(added, "id"))}/events`, {}));
    }
    /** Asks the agent, and follows the events of the run. Questions of one user are one conversation. */
    async *ask(message) {
        const json = this.#conversation === null ? { message } : { message, session_id: this.#conversation };
        const path = `/api/agents/${encodeURIComponent(this.#setup.agent_id)}/run/stream`;
        for await (const event of events(await this.#send(path, { json }))) {
            if (typeof event["session_id"] === "string")
                this.#conversation = event["session_id"];
            yield event;
        }
    }
    /** The statements that ran as the user after this number, and the newest number of all. */
    async statements(after) {
        const answer = await this.#send(`/demo/chat/statements?after=${after}`, {});
        return (await answer.json());
    }
    async #send(path, request) {
        if (this.#session === null)
            throw new Failure(`${this.#user.name} is not signed in. Sign in first.`, 401, {});
        return send(path, { ...request, key: this.#setup.anon_key, token: this.#session.access_token });
    }
}
/** A text of a JSON object. */
export function text(object, name) {
    const value = object[name];
    return typeof value === "string" ? value : "";
}
