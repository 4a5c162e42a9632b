import { current } from "./current.js";

/** Sends a request and returns the whole answer, or throws an `HttpError`. */
export default (request) => current().sendRequest(request);
