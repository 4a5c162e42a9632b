#!/usr/bin/env bash
# Sends what schemathesis makes of GoTrue's own description of its API to /auth/v1, as a stranger, as a user and as the service role,
# and reports answers of 5xx and answers that are not as described.
#
#   ./dev exec tests/peers/gotrue-schemathesis.sh [further arguments of `schemathesis run`]
#
# Needs python3 with pip and venv, and git for the description, which GOTRUE_OPENAPI can name instead (openapi.yaml of supabase/auth). BEHALF
# names a program that is built already. What is installed is removed afterwards.
set -euo pipefail
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
[ -z "${GOTRUE_OPENAPI-}" ] || GOTRUE_OPENAPI=$(realpath "$GOTRUE_OPENAPI")
cd "$(dirname "$0")/../.."
. tests/peers/auth-host.sh

version=4.32.5
port=${SCHEMATHESIS_PORT:-54331}

python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version" >&2
if [ -z "${GOTRUE_OPENAPI-}" ]; then
    git clone --quiet --depth 1 https://github.com/supabase/auth "$work/auth" >&2
    GOTRUE_OPENAPI=$work/auth/openapi.yaml
fi

start_host "$port"

# A session has every member of a form without required ones, so that it is never of one form alone.
sed 's/oneOf:/anyOf:/' "$GOTRUE_OPENAPI" >"$work/openapi.yaml"

# What /auth/v1 does not have (docs/auth.md): an authorization server, SAML, providers that an administrator adds.
absent='sso|saml|oauth|admin/(oauth|sso|custom-providers|audit)|user/oauth'

# send NAME TOKEN PATHS…: as the bearer of this token, all but these paths.
failed=0
send() {
    local name=$1 token=$2 without=$3
    shift 3
    echo "== as $name" >&2
    "$work/python/bin/schemathesis" --config-file "$work/objects.toml" run "$work/openapi.yaml" --url "$BASE_URL/auth/v1" \
        --header "apikey: $ANON_KEY" --header "Authorization: Bearer $token" \
        --checks not_a_server_error,response_schema_conformance --exclude-path-regex "^/($without)(/|\$)" \
        --phases examples,coverage,fuzzing --max-examples 40 --seed 1 --generation-database none --no-color "$@" || failed=1
}

# member NAME: a member of the JSON on standard input, such as user.id.
member() { python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[1].split("."), json.load(sys.stdin)))' "$1"; }
post() { curl -fsS "$BASE_URL/auth/v1/$1" -H "apikey: $ANON_KEY" -H "Authorization: Bearer $2" -H 'content-type: application/json' -d "$3"; }

session=$(post signup "$ANON_KEY" '{"email": "fuzz@people.example", "password": "correct-Horse-7-battery"}')
user=$(member access_token <<<"$session")
factor=$(post factors "$user" '{"factor_type": "totp", "friendly_name": "phone"}')

: >"$work/objects.toml"
send stranger "$ANON_KEY" "$absent" "$@"
send "service role" "$SERVICE_ROLE_KEY" "$absent" "$@"
# With objects that are there, and whatever leaves them there.
cat >"$work/objects.toml" <<TOML
[parameters]
"path.userId" = "$(member user.id <<<"$session")"
"path.factorId" = "$(member id <<<"$factor")"
TOML
send user "$user" "$absent|logout" --exclude-method DELETE "$@"
send "service role, of a user" "$SERVICE_ROLE_KEY" "$absent" --include-path-regex '^/admin/' --exclude-method DELETE "$@"

if grep -n 'ERROR\|panicked' "$work/host.log"; then failed=1; fi
exit "$failed"
