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

const SDK = dirname(fileURLToPath(import.meta.url));
const HOST_INTERFACE = /^(behalf:tool\/|wasi:random\/)/;

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

/** Everything in one file, and the host's interfaces that it imports. */
async function bundle(entry) {
  const { build } = await tool("esbuild");
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    mainFields: ["module", "main"],
    conditions: ["behalf-component", "import"],
    external: ["behalf:*", "wasi:*"],
    inject: [join(installedSdk(), "src/component/globals.js")],
    // A linked SDK finds its own dependencies in the project.
    preserveSymlinks: true,
    legalComments: "none",
    logLevel: "error",
  }).catch(() => process.exit(1));
  const [{ imports, exports }] = Object.values(built.metafile.outputs);
  if (!exports.includes("tool")) {
    fail(`${entry} does not export the tool: end it with \`export const tool = exportTools(…);\`.`);
  }
  const imported = [...new Set(imports.map(({ path }) => path))].sort();
  const unknown = imported.find((path) => !HOST_INTERFACE.test(path));
  if (unknown !== undefined) fail(`${entry} imports ${unknown}, which a component does not have.`);
  return { code: built.outputFiles[0].text, imported };
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
function reason(message) {
  const early = /unknown import: `([^`@]+)/.exec(message)?.[1];
  if (early === undefined) return message.trim();
  return `it uses ${early} while it is built, when there is no host; use the host inside \`call\`.`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: "string", short: "o" }, wit: { type: "string" } },
});
const [entry] = positionals;
if (entry === undefined || values.output === undefined) fail("usage: node build.js ENTRY -o OUT.wasm [--wit DIR]");
if (!existsSync(entry)) fail(`${entry} does not exist; plugin.toml says in [build] which file the tool begins with.`);

const { code, imported } = await bundle(entry);
const { componentize } = await tool("componentize-qjs");
const folder = mkdtempSync(join(tmpdir(), "behalf-js-"));
try {
  world(folder, interfaces(values.wit), imported);
  const { component } = await componentize({
    witPath: folder,
    world: "built-tool",
    jsSource: code,
    sync: true,
    optSize: true,
  });
  mkdirSync(dirname(resolve(values.output)), { recursive: true });
  writeFileSync(values.output, component);
} catch (error) {
  fail(`The component cannot be made of ${entry}: ${reason(error.message)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
