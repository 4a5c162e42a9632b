#!/usr/bin/env bash
# Sends what schemathesis makes of GoTrue's own description of its API to /auth/v1, as a stranger, as a user and as the service role,
# and reports answers of 5xx and answers that are not as described.
#
#   ./dev exec tests/peers/gotrue-schemathesis.sh [further arguments of `schemathesis run`]
#
# Needs python3 with pip, and git for the description, which GOTRUE_OPENAPI can name instead (openapi.yaml of supabase/auth). BEHALF
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

# What /auth/v1 does not have (docs/auth.md): an authorization server, SAML, providers that an administrator adds.
absent='^/(sso|saml|oauth|admin/(oauth|sso|custom-providers|audit)|user/oauth)(/|$)'
# Whoever signs out is a stranger from then on.
leaving='^/logout$'

# send NAME TOKEN PATHS…: as the bearer of this token, all but the paths that match.
failed=0
send() {
    local name=$1 token=$2
    shift 2
    echo "== as $name" >&2
    "$work/python/bin/schemathesis" run "$GOTRUE_OPENAPI" --url "$BASE_URL/auth/v1" --header "apikey: $ANON_KEY" \
        --header "Authorization: Bearer $token" --checks not_a_server_error,response_schema_conformance \
        --exclude-path-regex "$absent" --phases examples,coverage,fuzzing --max-examples 40 --seed 1 \
        --generation-database none --no-color "$@" || failed=1
}

user=$(curl -fsS "$BASE_URL/auth/v1/signup" -H "apikey: $ANON_KEY" -H 'content-type: application/json' \
    -d '{"email": "fuzz@people.example", "password": "correct-Horse-7-battery"}' |
    sed 's/.*"access_token":"\([^"]*\)".*/\1/')

send stranger "$ANON_KEY" "$@"
send user "$user" --exclude-path-regex "$leaving" "$@"
send "service role" "$SERVICE_ROLE_KEY" "$@"

if grep -n 'ERROR\|panicked' "$work/host.log"; then failed=1; fi
exit "$failed"
