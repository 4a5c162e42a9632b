/** What authors get wrong, and the exact words that they read then. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Promise as Ours, queueMicrotask, settled } from "../src/component/promise.js";
import { defineTool, execute, json, query, queryOne } from "../src/index.js";
import { URLSearchParams as OurParams } from "../src/search-params.js";
import { MockHost } from "../src/testing.js";
import { jsonText, toWire } from "../src/values.js";

const tool = (call) => defineTool({ name: "my_tool", description: "Does it.", input: { type: "object" }, call });

const ONE_BY_ONE =
  "Parameters are given one by one: query(sql, a, b), or query(sql, ...values). If $1 is an array, say its type in the statement: " +
  "$1::text[]; if it is json, give json(value).";

test("parameters as one array are refused", () => {
  const host = new MockHost().on("", [{ title: "a" }]);
  for (const ask of [query, queryOne, execute]) {
    for (const values of [["a"], ["a", "b"], []]) {
      const wrong = tool(() => assert.throws(() => ask("select title from notes where title = $1", values), { message: ONE_BY_ONE }));
      host.call(wrong);
    }
  }
  assert.deepEqual(host.statements, []);
});

test("an array that is meant as one is taken", () => {
  const host = new MockHost().on("", [{ title: "a" }]);
  const statements = [
    "select 1 where id = any($1)",
    "select 1 where id = ANY ( $1::uuid[] )",
    "insert into t (tags) values ($1::text[]) returning 1",
    "select 1 where tags @> $1",
    "select unnest($1)",
    "select cast($1 as jsonb)",
    "select 1 order by e <=> $1",
    "select 1 from jsonb_array_elements($1)",
  ];
  host.call(tool(() => void statements.forEach((sql) => query(sql, ["a", "b"]))));
  host.call(tool(() => void [query("select $1", json(["a", "b"])), query("select $1, $2", "a", ["b"])]));
  assert.deepEqual(new Set(host.statements.map(({ params }) => params[0])), new Set(['["a","b"]', "a"]));
});

test("maps, sets, dates and arrays of numbers become JSON", () => {
  const given = {
    map: new Map([["a", new Set([1, 2])], [7, 5n]]),
    floats: Float64Array.of(0.5, 1),
    bytes: new Uint8Array([1]).buffer,
    when: new Date(0),
  };
  const when = "1970-01-01T00:00:00.000Z";
  assert.deepEqual(JSON.parse(jsonText(given)), { map: { 7: 5, a: [1, 2] }, floats: [0.5, 1], bytes: "\\x01", when });
  assert.deepEqual(toWire(new Map([["a", 1]])), { tag: "text", val: '{"a":1}' });
  assert.deepEqual(toWire(new Set(["a"])), { tag: "text", val: '["a"]' });
  const message = "a Map whose keys are no texts cannot be JSON; return its entries: [...map]";
  assert.throws(() => jsonText(new Map([[{}, 1]])), { message });
  const noDate = { message: "a date is no date: it was made of what is none" };
  for (const wrong of [() => jsonText({ a: new Date("x") }), () => toWire(new Date("x"))]) assert.throws(wrong, noDate);
});

test("promises are settled while a call waits, as the engine's would be", async () => {
  for (const P of [Ours, Promise]) {
    const seen = [];
    const say = (what) => (value) => void seen.push([what, value]);
    const work = P.all([
      P.resolve(1).then(say("one")),
      P.reject(2).catch(say("two")),
      new P((resolve) => resolve(P.resolve(3))).then(say("three")),
      P.reject(4).finally(() => seen.push("finally")).catch(say("four")),
      P.allSettled([1, P.reject(2)]).then(say("all")),
      P.any([P.reject(1), 5]).then(say("any")),
      P.any([P.reject(1)]).catch(({ errors }) => seen.push(errors)),
      P.race([P.resolve("first"), "second"]).then(say("race")),
    ]);
    if (P === Ours) settled(work);
    else await work;
    const texts = seen.map((one) => JSON.stringify(one)).sort();
    assert.deepEqual(texts, [
      '"finally"',
      '["all",[{"status":"fulfilled","value":1},{"status":"rejected","reason":2}]]',
      '["any",5]',
      '["four",4]',
      '["one",1]',
      '["race","first"]',
      '["three",3]',
      '["two",2]',
      "[1]",
    ]);
  }
  const order = [];
  settled(new Ours((resolve) => (queueMicrotask(() => (order.push("job"), resolve())), order.push("first"))));
  assert.deepEqual(order, ["first", "job"]);
  assert.throws(() => settled(Ours.reject(new RangeError("x"))), RangeError);
  const message = "The tool waits for a promise that nothing settles: there are no timers and no events in a component.";
  assert.throws(() => settled(new Ours(() => {})), { message });
});

test("queries are written as elsewhere", () => {
  for (const given of ["?a=1&b=%C3%A9+x&a=2&c", { a: "é &=+!'()*~", b: 1 }, [["x", "y"], ["x", ""]]]) {
    assert.equal(new OurParams(given).toString(), new URLSearchParams(given).toString());
  }
  const [ours, theirs] = [OurParams, URLSearchParams].map((Params) => {
    const params = new Params("a=1&b=2&a=3");
    params.set("a", "9");
    params.append("c", "4");
    params.delete("b");
    return [params.get("a"), params.getAll("a"), params.has("b"), params.get("none"), params.size, [...params], [...params.keys()]];
  });
  assert.deepEqual(ours, theirs);
});
