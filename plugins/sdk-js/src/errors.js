/** Codes of a host's error, by the code of the tool error that they become when nobody catches them. */
const TOOL_CODES = {
  refused: "denied",
  forbidden: "denied",
  denied: "denied",
  not_granted: "denied",
  invalid: "invalid_arguments",
};

/** The tool's own failure. Its message is shown to the model; throwing it undoes what the call did. */
export class ToolError extends Error {
  constructor(message, { code = "failed", retryable = false, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ToolError";
    this.code = code;
    this.retryable = retryable;
  }

  static invalidArguments(message) {
    return new ToolError(message, { code: "invalid_arguments" });
  }

  static denied(message) {
    return new ToolError(message, { code: "denied" });
  }
}

class HostError extends Error {
  constructor(code, message, { retryable = false } = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.retryable = retryable;
  }

  /** What the model is told where the tool does not catch this error. */
  asToolError() {
    const code = Object.hasOwn(TOOL_CODES, this.code) ? TOOL_CODES[this.code] : "failed";
    return new ToolError(this.message, { code, retryable: this.retryable, cause: this });
  }
}

/** A statement failed. */
export class DatabaseError extends HostError {
  constructor(code, message, { sqlstate = null, retryable = false } = {}) {
    super(code, message, { retryable });
    this.sqlstate = sqlstate;
  }

  /** A wrong statement is the tool's fault; a wrong value (class 22) comes of the arguments. */
  asToolError() {
    const isStatement = this.code === "invalid" && this.sqlstate !== null && !this.sqlstate.startsWith("22");
    return isStatement ? new ToolError(this.message, { retryable: this.retryable, cause: this }) : super.asToolError();
  }
}

/** A search failed. */
export class KnowledgeError extends HostError {}

/** An operation on memories failed. */
export class MemoriesError extends HostError {}

/** An operation on the plugin's store failed. */
export class KvError extends HostError {}

/** An operation on objects failed. */
export class StorageError extends HostError {}

/** A request has no answer. */
export class HttpError extends HostError {
  asToolError() {
    // The address is the tool's, unlike a wrong statement's parameters.
    return new ToolError(this.message, { code: this.code === "denied" ? "denied" : "failed", retryable: this.retryable, cause: this });
  }
}

/** Why a request failed, by WASI's name for it: the code, the sentence, and whether it may succeed later. */
const HTTP_FAILURES = [
  [
    /^http-request-denied$/,
    "denied",
    (host) => `The request to ${host} was denied: [grants.http] does not name this host and port, or the call has sent too many.`,
  ],
  [/^destination-ip-prohibited$/, "denied", (host) => `The request to ${host} was denied: it is in a private network.`],
  [/^http-request-(uri|method)/, "invalid", (host) => `The request to ${host} has no sound address or method.`],
  [/^http-request-body-size$/, "limit", (host) => `The request to ${host} is larger than a tool may send.`],
  [/^http-response-(body-size|header)/, "limit", (host) => `The answer of ${host} is larger than a tool may read.`],
  [/^connection-limit-reached$/, "limit", () => "The call has too many connections at once."],
  [/timeout$/, "timeout", (host) => `${host} did not answer in time.`, true],
];

/** The error for WASI's, by the name of its case. `reason` is what the host says beside it. */
export function httpError(name, host, reason) {
  if (name === "internal-error" && typeof reason === "string") return new HttpError("refused", `The request to ${host} failed: ${reason}.`);
  const found = HTTP_FAILURES.find(([pattern]) => pattern.test(name.toLowerCase()));
  if (found === undefined) return new HttpError("unreachable", `${host} could not be reached (${name}).`, { retryable: true });
  const [, code, sentence, retryable = false] = found;
  return new HttpError(code, sentence(host), { retryable });
}

/** Whether an error is the host's, and so says of itself what the model is told. */
export function isHostError(error) {
  return error instanceof HostError;
}

/** Calls the host, whose errors arrive as exceptions with the WIT record in `payload`. */
export function fromHost(Kind, call) {
  try {
    return call();
  } catch (error) {
    const raised = error?.payload;
    if (typeof raised?.code !== "string") throw error;
    throw new Kind(raised.code, raised.message, { sqlstate: raised.sqlstate ?? null, retryable: raised.retryable });
  }
}
