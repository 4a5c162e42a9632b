#!/usr/bin/env bash
# Walks through a day of a tool author in the four languages, and prints how long each step takes, as Markdown tables: a new project, the
# first build, the conformance suite, a call, an edit, the build after it, and an edit that a host takes at once. Beside it, a server of the
# same tool that is written with the SDK of MCP, with a login of its own and the user's id in its environment.
#
#   ./dev exec tests/peers/second-day.sh
#
# Needs what `behalf tool build` needs in each language (docs/authors), and npm. All that is made is in a folder that is removed afterwards.
# Packages come from the caches of cargo, pip and npm where they are there. SECOND_DAY_NOTE is printed below the tables, such as for what else
# ran at that time. BEHALF names a program that is built already.
set -euo pipefail
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
cd "$(dirname "$0")/../.."
. tests/peers/auth-host.sh
BEHALF=$(realpath "$BEHALF")

sdk_version=1.32.2 pg_version=8.23.1 zod_version=3.25.76
port=${SECOND_DAY_PORT:-5058}

# What `run` and `check` compile is kept here, so that the first one is a first one.
export XDG_CACHE_HOME=$work/cache PIP_CACHE_DIR=${PIP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pip}

# timed COMMAND…: runs it, and leaves in `seconds` how long it took. What it prints is shown if it fails.
timed() {
    local begin=$EPOCHREALTIME
    "$@" >"$work/printed" 2>&1 || { cat "$work/printed" >&2; echo "failed: $*" >&2; exit 1; }
    seconds=$(awk -v begin="$begin" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.2f s", end - begin }')
}

# --- A tool in each language ---------------------------------------------------------------------------------------------

# day LANGUAGE NAME FILE: one row. FILE has the tool's description, which the edit changes.
day() {
    local language=$1 name=$2 file=$3 row
    echo "== $name" >&2
    mkdir "$work/$language"
    cd "$work/$language"

    timed "$BEHALF" tool new my-tool --lang "$language"
    row="| $name | $seconds"
    timed "$BEHALF" tool build my-tool --install
    row="$row | $seconds"
    timed "$BEHALF" tool check my-tool/dist/my-tool.wasm
    row="$row | $seconds"
    # The check has compiled the component to native code; a run after an edit does that anew.
    run_tool
    row="$row | $seconds"
    sed -i 's/newest first/latest first/' "my-tool/$file"
    timed "$BEHALF" tool build my-tool
    row="$row | $seconds"
    run_tool
    rows+=("$row | $seconds |")

    timed "$BEHALF" tool inspect my-tool/dist/my-tool.wasm --json
    grep -q 'latest first' "$work/printed" || { echo "$name: the edit is not in the component" >&2; exit 1; }
}

# Alice's note is found, and no other.
run_tool() {
    timed "$BEHALF" tool run my-tool/dist/my-tool.wasm my_tool '{"search": "garden"}' --sub alice
    grep -q '"notes":\[{[^}]*"title":"Garden"[^}]*}\]' "$work/printed" || { cat "$work/printed" >&2; exit 1; }
}

rows=()
day rust Rust src/lib.rs
day python Python src/my_tool.py
day js TypeScript src/tool.ts
day c C src/my_tool.h

# --- The same tool with the SDK of MCP -----------------------------------------------------------------------------------

peer=$work/peer
mkdir "$peer"
cat >"$peer/package.json" <<JSON
{
  "private": true,
  "type": "module",
  "dependencies": { "@modelcontextprotocol/sdk": "$sdk_version", "pg": "$pg_version", "zod": "$zod_version" }
}
JSON
cat >"$peer/server.mjs" <<'JS'
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import pg from "pg";
import { z } from "zod";

// The owner's login sees every row, so the statement has to name the user.
const database = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
const NOTES = `
  select id, title, created_at from public.notes
  where owner_id = $1 and ($2::text is null or title ilike $2 or body ilike $2)
  order by created_at desc, id limit $3`;

const server = new McpServer({ name: "my-tool", version: "0.1.0" });
server.registerTool(
  "my_tool",
  {
    title: "Find notes",
    description: "Finds the current user's notes whose title or body contain a text, newest first. Without a text: the newest.",
    inputSchema: { search: z.string().min(1).max(200).optional(), limit: z.number().int().min(1).max(100).optional() },
    annotations: { readOnlyHint: true, idempotentHint: true },
  },
  async ({ search, limit = 10 }) => {
    const pattern = search === undefined ? null : `%${search.replace(/[\\%_]/g, "\\$&")}%`;
    const { rows } = await database.query(NOTES, [process.env.USER_ID, pattern, limit + 1]);
    const result = { notes: rows.slice(0, limit), truncated: rows.length > limit };
    return { content: [{ type: "text", text: JSON.stringify(result) }] };
  },
);
await server.connect(new StdioServerTransport());
JS
cat >"$peer/call.mjs" <<'JS'
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

// From the start of the server to the answer of the first call.
const begin = performance.now();
const client = new Client({ name: "second-day", version: "0.1.0" });
await client.connect(new StdioClientTransport({ command: process.execPath, args: ["server.mjs"], env: process.env }));
const answer = await client.callTool({ name: "my_tool", arguments: { search: "garden" } });
const took = performance.now() - begin;
if (JSON.parse(answer.content[0].text).notes[0].title !== "Garden") throw new Error(JSON.stringify(answer));
console.log(`${(took / 1000).toFixed(2)} s`);
await client.close();
JS

echo "== the SDK of MCP" >&2
timed npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$peer"
install=$seconds
start_host "$port"
# shellcheck source=/dev/null # the host has written it
DATABASE_URL=$(. "$work/state/dev.env" && echo "$DATABASE_URL")
export DATABASE_URL USER_ID=a11ce000-0000-4000-8000-000000000001
call() { (cd "$peer" && node call.mjs); }
first=$(call)
again=$(call)

# --- From a saved file to a new tool on a host ---------------------------------------------------------------------------

# saved LANGUAGE FILE: leaves in `seconds` how long it takes until the host has what was saved.
saved() {
    echo "== $1, watched" >&2
    cd "$work/$1"
    "$BEHALF" tool build my-tool --watch >"$work/watched" 2>&1 &
    watch=$!
    registered 1
    local begin=$EPOCHREALTIME
    sed -i 's/latest first/newest first/' "my-tool/$2"
    registered 2
    seconds=$(awk -v begin="$begin" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.2f s", end - begin }')
    kill "$watch"
    wait "$watch" 2>/dev/null || true
}

# registered COUNT: waits until the tool was registered so often.
registered() {
    until [ "$(grep -c 'registered my-tool' "$work/watched")" -ge "$1" ]; do
        kill -0 "$watch" 2>/dev/null || { cat "$work/watched" >&2; exit 1; }
        sleep 0.02
    done
}

saved rust src/lib.rs
row=$seconds
for more in "python src/my_tool.py" "js src/tool.ts" "c src/my_tool.h"; do
    # shellcheck disable=SC2086 # a language and a file
    saved $more
    row="$row | $seconds"
done

# --- The tables ----------------------------------------------------------------------------------------------------------

cat <<MARKDOWN
| | new | first build | check | run, unchanged | build after an edit | run after it |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
$(printf '%s\n' "${rows[@]}")

| from a saved file to a new tool on the host (\`--watch\`) | Rust | Python | TypeScript | C |
| --- | ---: | ---: | ---: | ---: |
| | $row |

| | npm install | start and first call | again |
| --- | ---: | ---: | ---: |
| a server with @modelcontextprotocol/sdk $sdk_version | $install | $first | $again |

"first build" installs what the project needs (\`--install\`). \`run\` and \`check\` start a Postgres of their own each time, which the server of
the second table finds running. $("$BEHALF" --version), $(nproc) processor cores, $(uname -m). ${SECOND_DAY_NOTE-}
MARKDOWN
