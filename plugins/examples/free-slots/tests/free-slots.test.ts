import assert from "node:assert/strict";
import { test } from "node:test";

import { MockHost, denied } from "behalf-sdk/testing";

import { freeSpans, written } from "../src/slots.js";
import { freeSlots } from "../src/tool.js";

const hour = 3600;
const spans = (...pairs: [number, number][]) => pairs.map(([start, end]) => ({ start: start * hour, end: end * hour }));
const free = (events: [number, number][], least = 1, buffer = 0) =>
  freeSpans({ start: 9 * hour, end: 17 * hour }, spans(...events), least * hour, buffer * hour);

/** A row for 2 March 2026 in Zurich, with events by their hours. */
function day(...events: [number, number][]) {
  const midnight = Date.UTC(2026, 2, 1, 23) / 1000;
  const at = (hours: number) => midnight + hours * hour;
  return { opens: at(9), closes: at(17), opens_offset: hour, closes_offset: hour, busy: events.map((event) => event.map(at)) };
}

const types = { opens: "int8", closes: "int8", opens_offset: "int8", closes_offset: "int8", busy: "jsonb" };

test("gaps are what events leave", () => {
  assert.deepEqual(free([]), spans([9, 17]));
  assert.deepEqual(free([[10, 11], [13, 14]]), spans([9, 10], [11, 13], [14, 17]));
  assert.deepEqual(free([[13, 14], [10, 12], [11, 11.5]]), spans([9, 10], [12, 13], [14, 17]));
  assert.deepEqual(free([[0, 10], [16, 30]]), spans([10, 16]));
  assert.deepEqual(free([[0, 30]]), []);
});

test("a gap that is too short is none, and one that fits is one", () => {
  assert.deepEqual(free([[9.5, 16]]), spans([16, 17]));
  assert.deepEqual(free([[9.5, 16.5]]), []);
});

test("a buffer stays free on both sides", () => {
  assert.deepEqual(free([[12, 13]], 1, 1), spans([9, 11], [14, 17]));
  // An event outside of the day, whose buffer is inside.
  assert.deepEqual(free([[17, 18], [7, 8.5]], 1, 1), spans([9.5, 16]));
});

test("an event without a length takes no time", () => {
  assert.deepEqual(free([[12, 12], [14, 13]]), spans([9, 17]));
});

test("times are written with their offset", () => {
  assert.equal(written(0, 0), "1970-01-01T00:00:00Z");
  assert.equal(written(0, 90), "1970-01-01T01:30:00+01:30");
  assert.equal(written(0, -210), "1969-12-31T20:30:00-03:30");
});

test("a day becomes its gaps", () => {
  const host = new MockHost({ settings: { time_zone: "Europe/Zurich" } });
  host.on("from public.events", [day([9, 10.5], [16.5, 18])], { types });
  assert.deepEqual(host.call(freeSlots, { from: "2026-03-02" }), {
    time_zone: "Europe/Zurich",
    slots: [{ starts_at: "2026-03-02T10:30:00+01:00", ends_at: "2026-03-02T16:30:00+01:00", minutes: 360 }],
    truncated: false,
  });
  assert.deepEqual(host.statements[0]?.params, ["2026-03-02", "2026-03-02", "09:00", "17:00", "Europe/Zurich", false, 0]);
});

test("where the clocks change during the day, times are those of UTC", () => {
  const host = new MockHost().on("from public.events", [{ ...day(), closes_offset: 2 * hour }], { types });
  assert.equal(host.call(freeSlots, { from: "2026-03-02" }).slots[0]?.starts_at, "2026-03-02T08:00:00Z");
});

test("the limit leaves the earliest", () => {
  const host = new MockHost().on("from public.events", [day([10, 11], [12, 13])], { types });
  const { slots, truncated } = host.call(freeSlots, { from: "2026-03-02", limit: 1 });
  assert.deepEqual([slots.length, slots[0]?.minutes, truncated], [1, 60, true]);
});

test("no days are no gaps, and an answer cut short is said", () => {
  const host = new MockHost().on("from public.events", [], { types, truncated: true });
  assert.deepEqual(host.call(freeSlots, { from: "2026-03-07" }), { time_zone: "UTC", slots: [], truncated: true });
});

test("what cannot be meant is refused before the database is asked", () => {
  for (const given of [
    { from: "2026-02-31" },
    { from: "0000-01-01" },
    { from: "2026-03-02", to: "2026-03-01" },
    { from: "2026-01-01", to: "2026-12-31" },
    { from: "2026-03-02", day_start: "17:00", day_end: "09:00" },
    { from: "2026-03-02", day_start: "09:00", day_end: "09:00" },
  ]) {
    assert.throws(() => new MockHost().call(freeSlots, given), { code: "invalid_arguments" });
  }
});

test("a setting that is no time zone is named", () => {
  const host = new MockHost({ settings: { time_zone: 7 } });
  assert.throws(() => host.call(freeSlots, { from: "2026-03-02" }), { code: "failed", message: /`time_zone`/ });
});

test("a refusal reaches the model", () => {
  const host = new MockHost().on("from public.events", denied("No access to events."));
  assert.throws(() => host.call(freeSlots, { from: "2026-03-02" }), { code: "denied", message: "No access to events." });
});
