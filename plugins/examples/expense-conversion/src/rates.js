/** Exchange rates of openexchangerates.org: `{"timestamp": 1764547200, "base": "USD", "rates": {"EUR": 0.86, …}}`. */

import { HttpError, ToolError } from "behalf-sdk";

/** How long the server may take. */
const TIMEOUT_MS = 4_000;

/**
 * Asks the server. The request has no key: the host adds it.
 *
 * @param {string} url
 * @param {number} now Milliseconds since 1970.
 */
export async function fetchRates(url, now) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.status === 401 || answer.status === 403) {
    throw new ToolError("The rates server does not accept the plugin's key; an operator can set the secret `rates_key` anew.");
  }
  if (!answer.ok) {
    const retryable = answer.status === 429 || answer.status >= 500;
    throw new ToolError(`The rates server answered with status ${answer.status}.`, { retryable });
  }
  return readRates(await answer.json(), now);
}

/** What is kept of an answer: when it was fetched, of when it is, and how many units of each currency one unit of the base is. */
function readRates(answer, now) {
  const { timestamp, rates } = answer ?? {};
  const sound = Object.entries(isObject(rates) ? rates : {}).filter(
    ([currency, rate]) => /^[A-Z]{3}$/.test(currency) && Number.isFinite(rate) && rate > 0,
  );
  const made = new Date(timestamp * 1000);
  if (Number.isNaN(made.getTime()) || sound.length === 0) throw new ToolError("The rates server answered with something else than rates.");
  return { fetched: now, as_of: made.toISOString(), rates: Object.fromEntries(sound) };
}

/** Whether this plugin wrote a value in this form. An older version may have written another. */
export function isRates(value) {
  return isObject(value) && Number.isFinite(value.fetched) && typeof value.as_of === "string" && isObject(value.rates);
}

/** Whether older rates are better than this error: the server is out of reach, and not something wrong with the plugin. */
export function isOutage(error) {
  return (error instanceof HttpError || error instanceof ToolError) && error.retryable;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
