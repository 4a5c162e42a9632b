import settle from "#host/settle";

import { Content, blocksOf } from "./content.js";
import { Context } from "./context.js";
import { ToolError, isHostError } from "./errors.js";
import { roundedNumber } from "./numbers.js";
import { offer } from "./offer.js";
import { begin, sayHints } from "./state.js";
import { wellFormed } from "./text.js";
import { jsonText } from "./values.js";

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** Makes a tool of a description and a function. */
export function defineTool(options) {
  const { name, description, input } = options;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new TypeError(`"${name}" is not a tool name: a to z, 0 to 9 and _, at most 64 of them`);
  }
  if (typeof description !== "string" || description.trim() === "") {
    throw new TypeError(`the tool ${name} has no description: the model reads it to decide when to call the tool`);
  }
  if (input?.type !== "object") throw new TypeError(`the input of ${name} must be an object's schema`);
  if (typeof options.call !== "function") throw new TypeError(`the tool ${name} has no call function`);
  return Object.freeze({ ...options, definition: definition(options) });
}

function definition(options) {
  const { name, title, description, input, output, readOnly = false, destructive, idempotent, openWorld } = options;
  return {
    name,
    title: title ?? sentence(name),
    description,
    inputSchema: { $schema: DIALECT, additionalProperties: false, ...input },
    ...(output === undefined ? {} : { outputSchema: { $schema: DIALECT, ...output } }),
    annotations: {
      readOnlyHint: readOnly,
      destructiveHint: destructive ?? !readOnly,
      idempotentHint: idempotent ?? false,
      openWorldHint: openWorld ?? false,
    },
    ...offer(options),
  };
}

function sentence(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

/** What a component exports: `export const tool = exportTools(myTool, …)`. */
export function exportTools(...tools) {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  if (tools.length === 0 || byName.size < tools.length) {
    throw new TypeError("exportTools() takes one tool or more, each of another name");
  }
  const definitions = JSON.stringify(tools.map((tool) => tool.definition));
  return {
    definitions: () => definitions,
    call(name, given) {
      begin();
      try {
        return run(byName, name, given);
      } catch (error) {
        // The record that the interface asks for.
        throw { code: wellFormed(error.code), message: wellFormed(error.message), retryable: Boolean(error.retryable) };
      }
    },
  };
}

/** Levels that arguments may nest. The interpreter reads JSON with its stack, whose end nobody can catch. */
const MAX_DEPTH = 100;

/** How deep a JSON text nests; one that is not JSON may say anything. */
function depth(text) {
  let open = 0;
  let deepest = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const sign = text[index];
    if (quoted) {
      if (sign === "\\") index++;
      else if (sign === '"') quoted = false;
    } else if (sign === '"') quoted = true;
    else if (sign === "[" || sign === "{") deepest = Math.max(deepest, ++open);
    else if (sign === "]" || sign === "}") open--;
  }
  return deepest;
}

/** The arguments as an object. The host has checked them against the schema; another host may not have. */
function readArguments(name, given) {
  const wrong = (what) => ToolError.invalidArguments(`The arguments of ${name} ${what}.`);
  // What is shorter cannot nest as deep.
  if (given.length > MAX_DEPTH && depth(given) > MAX_DEPTH) throw wrong(`nest more than ${MAX_DEPTH} levels`);
  const rounded = roundedNumber(given);
  if (rounded !== undefined) {
    throw wrong(`hold the number ${rounded.slice(0, 40)}, which JavaScript would round; send it as a string`);
  }
  let read;
  try {
    read = JSON.parse(given);
  } catch {
    throw wrong("are not JSON");
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) throw wrong("are not a JSON object");
  return read;
}

/**
 * One call. Whatever goes wrong leaves as a `ToolError`. Where the tool is async, the result is waited for in a component; in a
 * test it is a promise.
 */
export function run(tools, name, given) {
  const tool = tools.get(name);
  if (tool === undefined) throw ToolError.invalidArguments(`This plugin has no tool "${name}".`);
  const finish = (result) => jsonText(result instanceof Content ? content(tool, result) : (result ?? null));
  sayHints(tool.definition.annotations);
  try {
    const result = tool.call(readArguments(name, given), new Context());
    if (typeof result?.then === "function") return settle(result, finish, (error) => asToolError(name, error));
    return finish(result);
  } catch (error) {
    throw asToolError(name, error);
  }
}

/** A content as the result that it is. */
function content({ name, output }, result) {
  const blocks = blocksOf(result);
  if (output !== undefined) {
    throw new ToolError(`The tool ${name} returned a Content and has an output schema. Leave out \`output\`, or return data.`);
  }
  if (blocks.length === 0) throw new ToolError(`The tool ${name} returned an empty Content. Add a text, or return data.`);
  return { content: blocks };
}

function asToolError(name, error) {
  if (error instanceof ToolError) return error;
  if (isHostError(error)) return error.asToolError();
  // The text of an error that nobody foresaw may quote a row, so the model gets its name alone; the log, which is the
  // operator's, gets all of it.
  console.error(`${name} failed`, error);
  const kind = error instanceof Error ? error.name : typeof error;
  return new ToolError(`The tool ${name} failed: ${kind}. Its log says where.`, { cause: error });
}
