#!/usr/bin/env bash
# Runs realtime-check, the suite of supabase/realtime, against a host that this script starts, and prints what passed and what failed.
#
#   ./dev exec tests/peers/realtime-check.sh [--test functional]
#
# Needs npm, psql, Linux on x86-64, and git for the suite, which REALTIME_SUITE can name instead: a copy of
# https://github.com/supabase/realtime, as a work tree or as a bare Git directory. BEHALF names a program that is built already.
# Bun and the suite's packages are installed into a folder that is removed afterwards. The exit code is 1 where something failed.
# REALTIME_RESULTS names a file for the results as JSON.
set -euo pipefail
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
[ -z "${REALTIME_SUITE-}" ] || REALTIME_SUITE=$(realpath "$REALTIME_SUITE")
[ -z "${REALTIME_RESULTS-}" ] || REALTIME_RESULTS=$(realpath -m "$REALTIME_RESULTS")
cd "$(dirname "$0")/../.."
. tests/peers/auth-host.sh

commit=833cf36c3a3603fff5ae5a8a0ce473a21d5fedd4
bun_version=1.4.5

if [ -z "${REALTIME_SUITE-}" ]; then
    REALTIME_SUITE=$work/realtime
    git init --quiet "$REALTIME_SUITE"
    git -C "$REALTIME_SUITE" fetch --quiet --depth 1 https://github.com/supabase/realtime "$commit" >&2
    git -C "$REALTIME_SUITE" checkout --quiet FETCH_HEAD
fi
suite=$work/suite
mkdir "$suite"
if [ -d "$REALTIME_SUITE/test/e2e" ]; then
    cp "$REALTIME_SUITE"/test/e2e/{package.json,bun.lock,realtime-check.ts} "$suite"
else
    git -C "$REALTIME_SUITE" archive HEAD:test/e2e package.json bun.lock realtime-check.ts | tar -x -C "$suite"
fi
version=$(git -C "$REALTIME_SUITE" rev-parse --short HEAD 2>/dev/null || echo unknown)

# The baseline runs on every processor.
npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$work/bun" \
    "@oven/bun-linux-x64-baseline@$bun_version" >&2
bun=$work/bun/node_modules/@oven/bun-linux-x64-baseline/bin/bun
(cd "$suite" && "$bun" install --frozen-lockfile --ignore-scripts >&2)

chmod 755 "$work"
start_host "${REALTIME_PORT-5061}"
# shellcheck source=/dev/null # the host has written it
. "$work/state/dev.env"

# New tables of a Supabase project are open to the API roles, and the suite expects that.
psql=$(command -v "${BEHALF_POSTGRES_BIN:-/nowhere}/psql" || command -v psql || ls /usr/lib/postgresql/*/bin/psql | tail -n 1)
"$psql" -q -v ON_ERROR_STOP=1 "$DATABASE_URL" <<'SQL'
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
SQL

status=0
(cd "$suite" && "$bun" run realtime-check.ts --env local --url "$BASE_URL" --db-url "$DATABASE_URL" \
    --publishable-key "$ANON_KEY" --secret-key "$SERVICE_ROLE_KEY" --json "$@" >"$work/results.json") || status=$?
[ -s "$work/results.json" ] || { tail -n 50 "$work/host.log" >&2; exit 1; }
[ -z "${REALTIME_RESULTS-}" ] || cp "$work/results.json" "$REALTIME_RESULTS"

echo "supabase/realtime $version, Bun $bun_version"
node - "$work/results.json" <<'JS'
const { suites } = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const counts = { passed: 0, failed: 0 };
for (const [suite, { tests }] of Object.entries(suites)) {
  for (const test of tests) {
    const kind = test.passed ? 'passed' : 'failed';
    counts[kind]++;
    console.log(`${kind} ${suite}: ${test.name}${test.passed ? '' : `\n       ${test.error}`}`);
  }
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
JS
exit "$status"
