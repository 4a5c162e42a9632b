#!/usr/bin/env node
/**
 * Makes a component of a tool: `node build.js ENTRY -o OUT.wasm [--wit DIR]`, in the project's folder.
 *
 * esbuild puts the tool and what it imports into one file. What that file still imports are the host's interfaces, and
 * exactly those become the component's imports: an interface that is imported must be granted, used or not.
 */

import { createRequire } from "node:module";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { named } from "./late-imports.js";
import { compact, withSources } from "./src/source-map.js";

const SDK = dirname(fileURLToPath(import.meta.url));
const HOST_INTERFACE = /^(behalf:tool\/|wasi:random\/|late:http\/)/;

/** What browsers and Node.js have and a component has not, with what to do instead. */
const MISSING = [
  [/\bIntl\s*\./, "Intl", "write numbers and dates yourself, or let the database do it (to_char)"],
  [/\b(?:setTimeout|setInterval|setImmediate)\s*\(/, "timers", "there is nothing to wait for: the host's functions wait themselves"],
  [/\bnew\s+URL\s*\(/, "URL", "join texts, and URLSearchParams for a query"],
  [/\bstructuredClone\s*\(/, "structuredClone", "copy what you need, or use JSON.parse(JSON.stringify(value))"],
  [/\bnew\s+XMLHttpRequest\b/, "XMLHttpRequest", "use fetch"],
];

const INSTALL = `Run \`npm ci\` in ${process.cwd()}, or \`behalf tool build --install\`.`;

/** Ends the build with what went wrong and how to fix it. */
function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** A tool of the project, which `npm ci` installs. */
async function tool(name) {
  const project = createRequire(join(process.cwd(), "package.json"));
  let path;
  try {
    path = project.resolve(name);
  } catch {
    fail(`${name} is not installed here. ${INSTALL}`);
  }
  return import(pathToFileURL(path).href);
}

/** The SDK as the tool imports it, by the same path: a second copy of its modules would have a state of its own. */
function installedSdk() {
  const installed = resolve("node_modules/behalf-sdk");
  return existsSync(installed) ? installed : fail(`behalf-sdk is not installed here. ${INSTALL}`);
}

/** The WIT files of the plugin interface: beside the SDK's copy in a project, or in the repository. */
function interfaces(given) {
  const folder = [given, join(SDK, "../wit"), join(SDK, "../../wit")].find((one) => one && existsSync(join(one, "tool.wit")));
  return folder ?? fail("The plugin interface (tool.wit) was found neither beside the SDK nor by --wit.");
}

/** Everything in one file, where its lines come from, and the host's interfaces that it imports. */
async function bundle(entry) {
  const { build } = await tool("esbuild");
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    outfile: "bundle.js",
    sourcemap: "external",
    sourcesContent: false,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    mainFields: ["module", "main"],
    conditions: ["behalf-component", "import"],
    external: ["behalf:*", "late:*", "wasi:*"],
    inject: ["globals.js", "fetch.js"].map((file) => join(installedSdk(), "src/component", file)),
    // The engine settles its own promises after a call has returned. Without `async`, there are only those of the SDK.
    supported: { "async-await": false, "async-generator": false, "for-await": false },
    // A linked SDK finds its own dependencies in the project.
    preserveSymlinks: true,
    legalComments: "none",
    logLevel: "warning",
  }).catch(() => process.exit(1));
  const { imports, exports } = built.metafile.outputs["bundle.js"];
  if (!exports.includes("tool")) {
    fail(`${entry} does not export the tool: end it with \`export const tool = exportTools(…);\`.`);
  }
  const imported = [...new Set(imports.map(({ path }) => path))].sort();
  const unknown = imported.find((path) => !HOST_INTERFACE.test(path));
  if (unknown !== undefined) fail(`${entry} imports ${unknown}, which a component does not have.`);
  const text = (ending) => built.outputFiles.find(({ path }) => path.endsWith(ending)).text;
  const code = text(".js");
  for (const [pattern, name, instead] of MISSING) {
    if (pattern.test(code)) process.stderr.write(`warning: the code names ${name}, which a component does not have; ${instead}.\n`);
  }
  return { code, map: compact(JSON.parse(text(".js.map"))), imported };
}

/** The bundle with its map, behind everything else, so that no line moves. */
function mapped({ code, map }) {
  return `${code}\nglobalThis[Symbol.for("behalf.source-map")] = ${JSON.stringify(map)};\n`;
}

/** A folder of WIT whose world imports just these interfaces. */
function world(folder, wit, imported) {
  const own = join(folder, "deps/behalf-tool");
  mkdirSync(own, { recursive: true });
  for (const file of readdirSync(wit).filter((name) => name.endsWith(".wit"))) cpSync(join(wit, file), join(own, file));
  cpSync(join(SDK, "wit"), join(folder, "deps"), { recursive: true });
  const imports = imported.map((name) => `    import ${name};\n`).join("");
  writeFileSync(
    join(folder, "world.wit"),
    `package behalf:javascript@0.1.0;\n\nworld built-tool {\n${imports}    export behalf:tool/tool@0.1.1;\n}\n`,
  );
}

/** Why the module could not be run, without the engine's own backtrace. */
function reason(message, map) {
  const early = /unknown import: `([^`@]+)/.exec(message)?.[1];
  if (early === undefined) return withSources(message.trim(), map);
  return `it uses ${early.replace(/^late:/, "wasi:")} while it is built, when there is no host; use the host inside \`call\`.`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: "string", short: "o" }, wit: { type: "string" } },
});
const [entry] = positionals;
if (entry === undefined || values.output === undefined) fail("usage: node build.js ENTRY -o OUT.wasm [--wit DIR]");
if (!existsSync(entry)) fail(`${entry} does not exist; plugin.toml says in [build] which file the tool begins with.`);

const bundled = await bundle(entry);
const { componentize } = await tool("componentize-qjs");
const folder = mkdtempSync(join(tmpdir(), "behalf-js-"));
try {
  world(folder, interfaces(values.wit), bundled.imported);
  const { component } = await componentize({
    witPath: folder,
    world: "built-tool",
    jsSource: mapped(bundled),
    sync: true,
    optSize: true,
  });
  mkdirSync(dirname(resolve(values.output)), { recursive: true });
  writeFileSync(values.output, named(component));
} catch (error) {
  fail(`The component cannot be made of ${entry}: ${reason(error.message, bundled.map)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
