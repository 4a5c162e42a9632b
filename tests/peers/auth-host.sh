#!/usr/bin/env bash
# Starts a host for suites that others wrote, with a Postgres of its own, and ends it with the script: for the scripts beside it,
# which read this file and call `start_host PORT` or `start_cli_host`. Settings of the host are in the environment. Afterwards there
# are ANON_KEY, SERVICE_ROLE_KEY and BASE_URL, and `work` is a folder that is removed.

[ -n "${BEHALF-}" ] || { cargo build --profile dist >&2; BEHALF=target/dist/behalf; }
work=$(mktemp -d)
host=

# The host ends its Postgres.
stop_host() {
    [ -z "$host" ] || { kill "$host" 2>/dev/null || true; wait "$host" || true; }
    host=
}
end_host() {
    stop_host
    rm -rf "$work"
}
trap end_host EXIT

# Suites send far more than people do, and wait for no letter. What the environment has already stays.
set_for_suites() {
    local name value
    while IFS='=' read -r name value; do
        [ -n "${!name-}" ] || export "$name=$value"
    done <<'SETTINGS'
BEHALF_LOG=warn
BEHALF_RATE_LIMIT_ANON=0
BEHALF_RATE_LIMIT_USER=0
BEHALF_AUTH_TRIES_PER_5_MINUTES=0
BEHALF_AUTH_REFRESHES_PER_5_MINUTES=0
BEHALF_AUTH_LETTERS_PER_HOUR=0
BEHALF_AUTH_LETTER_PAUSE_SECONDS=0
BEHALF_AUTH_HASH_MEMORY_KIB=64
BEHALF_AUTH_AUTOCONFIRM=true
BEHALF_AUTH_ANONYMOUS=true
SETTINGS
}

# serve [options of `behalf dev`]: until the host is ready.
serve() {
    set_for_suites
    "$BEHALF" dev "$@" >"$work/host.log" 2>&1 &
    host=$!
    for _ in $(seq 240); do
        curl -fs -o /dev/null "$BASE_URL/readyz" && return
        kill -0 "$host" 2>/dev/null || break
        sleep 0.5
    done
    cat "$work/host.log" >&2
    echo "the host does not serve" >&2
    exit 1
}

start_host() {
    local secret=super-secret-jwt-token-with-at-least-32-characters-long
    "$BEHALF" keys --secret "$secret" >"$work/keys" 2>/dev/null
    set -a
    . "$work/keys"
    set +a
    ANON_KEY=$BEHALF_ANON_KEY SERVICE_ROLE_KEY=$BEHALF_SERVICE_ROLE_KEY BASE_URL=http://127.0.0.1:$1
    export ANON_KEY SERVICE_ROLE_KEY BASE_URL BEHALF_STATE_DIR="$work/state" BEHALF_BIND="127.0.0.1:$1"
    serve
}

# At the addresses of the Supabase CLI, with its keys. Each call has a database of its own. DATABASE_URL is its owner's address.
start_cli_host() {
    BEHALF_STATE_DIR=$(mktemp -d "$work/state-XXXXXX") BASE_URL=http://127.0.0.1:54321
    export BEHALF_STATE_DIR BASE_URL
    serve --supabase-ports
    until [ -f "$BEHALF_STATE_DIR/dev.env" ]; do sleep 0.2; done
    set -a
    # shellcheck source=/dev/null # the host has written it
    . "$BEHALF_STATE_DIR/dev.env"
    set +a
}
