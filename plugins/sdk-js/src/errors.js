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
}

/** A search failed. */
export class KnowledgeError extends HostError {}

/** An operation on memories failed. */
export class MemoriesError extends HostError {}

/** An operation on objects failed. */
export class StorageError extends HostError {}

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
