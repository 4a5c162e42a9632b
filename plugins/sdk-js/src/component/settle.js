import { settled } from "./promise.js";

/** Waits for a tool's promise here, for the host waits for its result. */
export default (promise, finish) => finish(settled(promise));
