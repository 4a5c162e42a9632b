/** What a tool is besides a tool: an MCP resource or an MCP prompt. */

import { mediaType } from "./media-type.js";

const SCHEME = /^[a-z][a-z0-9+.-]*:/;
const BRACES = /\{([^{}]*)\}/g;
const VARIABLE = /^[a-z_][a-z0-9_]*$/;

/** The part of the definition that says it; empty for a tool that is only a tool. */
export function offer({ name, input, readOnly = false, resource, prompt = false }) {
  if (resource === undefined && !prompt) return {};
  if (resource !== undefined && prompt) throw new TypeError(`the tool ${name} is a resource and a prompt: it can be one of them`);
  const kind = prompt ? "prompt" : "resource";
  if (!readOnly) throw new TypeError(`the tool ${name} is a ${kind} and may write: a ${kind} needs readOnly: true`);
  if (prompt) return { prompt: true };
  const { uri, mimeType } = resource ?? {};
  if (typeof uri !== "string") throw new TypeError(`the resource of the tool ${name} has no uri, as in { uri: "notes://{id}" }`);
  checkUri(name, uri, Object.keys(input.properties ?? {}));
  return { resource: { uri, ...(mimeType === undefined ? {} : { mimeType: mediaType(mimeType) }) } };
}

/** A variable in braces is a parameter: whoever reads the resource gives its value in the address. */
function checkUri(name, uri, parameters) {
  const wrong = (what) => new TypeError(`the resource "${uri}" of the tool ${name} has ${what}`);
  if (!SCHEME.test(uri)) throw wrong("no scheme, as in notes://{id}");
  if (/[{}]/.test(uri.replace(BRACES, ""))) throw wrong("a brace without its other one");
  for (const [, variable] of uri.matchAll(BRACES)) {
    if (!VARIABLE.test(variable)) {
      throw wrong(`the variable "${variable}": a variable has a to z, 0 to 9 and _, and begins with no digit`);
    }
    if (!parameters.includes(variable)) throw wrong(`the variable "${variable}", which is no parameter of the tool`);
  }
}
