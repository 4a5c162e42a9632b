import assert from "node:assert/strict";
import { test } from "node:test";

import { HttpError } from "behalf-sdk";
import { MockHost, denied } from "behalf-sdk/testing";

import { convertExpenses } from "../src/tool.js";

const SERVER = "GET https://openexchangerates.org/api/latest.json";
const ANSWER = { timestamp: 1764547200, base: "USD", rates: { EUR: 0.9, USD: 1, XXX: -1, long: 2 } };
const RATES = { EUR: 0.9, USD: 1 };
const HOUR = 3_600_000;

const types = { category: "text", currency: "text", expenses: "int8", total: "text", converted: "int8" };
const row = (category, currency, expenses, total, converted) => ({ category, currency, expenses, total, converted });
const kept = (hours) => ({ fetched: Date.now() - hours * HOUR, as_of: "2025-11-01T00:00:00.000Z", rates: RATES });

const host = (rows = [], options) => new MockHost(options).sharesKv().on("from period", rows, { types });
const call = (on, given = {}) => on.call(convertExpenses, { currency: "EUR", ...given });

test("sums are exact, and what has no rate is said", async () => {
  const rows = [row("food", "EUR", 1, "40.00", 4000), row("food", "USD", 2, "30.30", 2727), row("leisure", "JPY", 1, "2500", 1501)];
  const on = host([...rows, row("leisure", "XTS", 1, "7.00", null)]).responds(SERVER, ANSWER);
  assert.deepEqual(await call(on, { month: "2025-03" }), {
    currency: "EUR",
    rates_as_of: "2025-12-01T00:00:00.000Z",
    rates_are_old: false,
    total: "82.28",
    expenses: 4,
    categories: [
      { category: "food", total: "67.27", expenses: 3 },
      { category: "leisure", total: "15.01", expenses: 1 },
    ],
    not_converted: [{ category: "leisure", currency: "XTS", total: "7.00", expenses: 1 }],
    truncated: false,
  });
  // Rates that are none were left out, and no request has a key.
  assert.deepEqual(on.statements[0].params, [JSON.stringify(RATES), "EUR", "2025-03"]);
  assert.equal(on.requests[0].headers.authorization, undefined);
  assert.equal(on.commits, 1);
});

test("no expenses are nothing", async () => {
  const { total, expenses, categories } = await call(host().responds(SERVER, ANSWER));
  assert.deepEqual([total, expenses, categories], ["0.00", 0, []]);
});

test("rates are kept, and asked for again when they are old", async () => {
  const on = host().responds(SERVER, ANSWER);
  await call(on);
  await call(on);
  assert.equal(on.requests.length, 1);
  assert.deepEqual(on.kv().latest.rates, RATES);
  on.stores("latest", kept(7));
  await call(on);
  assert.equal(on.requests.length, 2);
  assert.equal(on.kv().latest.as_of, "2025-12-01T00:00:00.000Z");
});

test("the operator says how long rates are good", async () => {
  const on = host([], { settings: { max_age_minutes: 600 } }).stores("latest", kept(7));
  assert.equal((await call(on)).rates_as_of, "2025-11-01T00:00:00.000Z");
  for (const settings of [{ max_age_minutes: "1" }, { max_age_minutes: 0 }, { rates_url: null }]) {
    await assert.rejects(call(host([], { settings })), { code: "failed", message: /setting/ });
  }
});

test("where the server is out of reach, older rates are better than none", async () => {
  const failure = new HttpError("timeout", "openexchangerates.org did not answer in time.", { retryable: true });
  const on = host().responds(SERVER, failure).stores("latest", kept(48));
  assert.deepEqual([(await call(on)).rates_are_old, on.kv().latest.as_of], [true, "2025-11-01T00:00:00.000Z"]);
  on.responds(SERVER, "busy", { status: 503 });
  assert.equal((await call(on)).rates_are_old, true);
  on.stores("latest", kept(24 * 8));
  await assert.rejects(call(on), { code: "failed", retryable: true });
  await assert.rejects(call(host().responds(SERVER, failure)), { code: "failed", retryable: true });
});

test("a key that is refused is no outage", async () => {
  const on = host().responds(SERVER, { error: true }, { status: 401 }).stores("latest", kept(48));
  await assert.rejects(call(on), { code: "failed", retryable: false, message: /rates_key/ });
});

test("an answer without rates is an error, and so is a value that somebody else kept", async () => {
  for (const answer of [null, [], {}, { timestamp: 1, rates: {} }, { timestamp: "x", rates: RATES }, "not JSON"]) {
    await assert.rejects(call(host().responds(SERVER, answer)), { code: "failed" });
  }
  const on = host().responds(SERVER, ANSWER).stores("latest", { rates: 1 });
  await call(on);
  assert.equal(on.requests.length, 1);
});

test("a currency without a rate and a month that there was not are refused", async () => {
  await assert.rejects(call(host().responds(SERVER, ANSWER), { currency: "XXX" }), { code: "invalid_arguments" });
  await assert.rejects(call(host().responds(SERVER, ANSWER), { currency: "constructor" }), { code: "invalid_arguments" });
  await assert.rejects(call(host(), { month: "0000-05" }), { code: "invalid_arguments" });
});

test("a store that is full or out of reach is an error: each call would ask the server", async () => {
  await assert.rejects(call(host().failsKv("limit", "The store is full.")), { code: "failed" });
});

test("a refusal reaches the model, and nothing is kept", async () => {
  const on = new MockHost().sharesKv().responds(SERVER, ANSWER).on("from period", denied("No access to expenses."));
  await assert.rejects(call(on), { code: "denied", message: "No access to expenses." });
  assert.deepEqual(on.kv(), {});
});
