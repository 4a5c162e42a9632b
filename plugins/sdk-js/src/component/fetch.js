/** The globals that a build brings in where a tool names them. Only then does the component import `wasi:http`. */
export { Headers, Response, fetch } from "../http.js";
export { URLSearchParams } from "../search-params.js";

/** Nothing can be aborted while a call waits, but a request may be given less time. */
export const AbortSignal = { timeout: (timeoutMs) => ({ timeoutMs, aborted: false }) };
