// What a tool returned and what ran meanwhile, as elements: passages of documents, rows of tables, and statements.

import type { Json, Statement } from "./client.js";
import { counted, element, grid, scrolled } from "./elements.js";

/** A result in words, and as an element. */
export interface Shown {
  summary: string;
  content: HTMLElement;
}

/** Shows what a tool returned. */
export function result(tool: string, returned: string): Shown {
  let value: unknown;
  try {
    value = JSON.parse(returned);
  } catch {
    return { summary: "a text", content: element("pre", "", returned) };
  }
  const passages = isObject(value) ? value["results"] : undefined;
  if (Array.isArray(passages) && passages.every(isPassage)) {
    const list = element("ul", "passages", passages.map(passage));
    return { summary: counted(passages.length, "passage"), content: passages.length > 0 ? list : nothing() };
  }
  if (Array.isArray(value) && value.every(isObject)) {
    return { summary: counted(value.length, "row"), content: table(`Rows of ${tool}`, value) };
  }
  if (isObject(value)) return { summary: "a record", content: record(tool, value) };
  return { summary: "a value", content: element("pre", "", JSON.stringify(value, null, 2)) };
}

/** Shows a call of a tool. */
export function call(tool: string, values: unknown): HTMLElement {
  const given = isObject(values) && Object.keys(values).length > 0 ? ` ${JSON.stringify(values)}` : "";
  return element("p", "call", [document.createTextNode("called "), element("code", "", `${tool}${given}`)]);
}

/** Shows statements: those of tools, and folded up those of the host itself. */
export function statements(all: Statement[]): HTMLElement {
  const own = all.filter((one) => one.tool === null);
  const content: Node[] = all.filter((one) => one.tool !== null).map(statement);
  if (own.length > 0) {
    const box = element("details", "own", [
      element("summary", "", `${counted(own.length, "statement")} of the host's own, such as of a search`),
      ...own.map(statement),
    ]);
    content.push(box);
  }
  return content.length > 0 ? element("div", "statements", content) : nothing("No statement ran.");
}

function statement(one: Statement): HTMLElement {
  const sender = one.tool ?? "the host";
  const failed = one.sqlstate === null ? "failed" : `failed with SQLSTATE ${one.sqlstate}`;
  const refused = one.verdict === "allowed" ? failed : `refused: ${one.verdict.replaceAll("_", " ")}`;
  const isFine = one.verdict === "allowed" && one.sqlstate === null;
  const outcome = isFine ? counted(one.rows, "row") : refused;
  const code = scrolled(`Statement of ${sender}`, element("pre", "", [element("code", "", unindented(one.text))]));
  const caption = element("figcaption", "", [
    element("span", "", sender),
    element("span", isFine ? "outcome" : "outcome refused", outcome),
  ]);
  return element("figure", "statement", [caption, code]);
}

/** The text without the indentation that all its lines but the first have: that of a program's source. */
function unindented(text: string): string {
  const [first = "", ...rest] = text.trim().split("\n");
  const depth = Math.min(...rest.filter((line) => line.trim() !== "").map((line) => line.search(/\S/)));
  return [first, ...rest.map((line) => line.slice(Number.isFinite(depth) ? depth : 0))].join("\n");
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPassage(value: unknown): value is Json {
  return isObject(value) && typeof value["text"] === "string";
}

function passage(found: Json): HTMLElement {
  const score = typeof found["score"] === "number" ? `, score ${found["score"].toFixed(2)}` : "";
  return element("li", "", [
    element("blockquote", "", String(found["text"])),
    element("p", "source", `${cell(found["source_name"]) || "a document"}${score}`),
  ]);
}

function table(label: string, rows: Json[]): HTMLElement {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (columns.length === 0) return nothing();
  return grid(label, columns, rows.map((row) => columns.map((column) => cell(row[column]))));
}

/** A record: its plain values, and a table for each list of records in it. */
function record(label: string, value: Json): HTMLElement {
  const entries = Object.entries(value);
  const isList = (item: unknown): item is Json[] => Array.isArray(item) && item.length > 0 && item.every(isObject);
  const plain = entries.filter(([, item]) => !isList(item) && !isObject(item));
  const pairs = plain.flatMap(([name, item]) => [element("dt", "", name), element("dd", "", cell(item))]);
  const content: Node[] = pairs.length > 0 ? [element("dl", "", pairs)] : [];
  for (const [name, item] of entries) {
    const rows = isList(item) ? item : isObject(item) ? [item] : [];
    if (rows.length > 0) content.push(element("p", "caption", name), table(`${name} of ${label}`, rows));
  }
  return element("div", "record", content);
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function nothing(words = "Nothing."): HTMLElement {
  return element("p", "nothing", words);
}
