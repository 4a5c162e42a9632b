#!/usr/bin/env bash
# Measures one-row lookups beside Google's MCP Toolbox for Databases, in turns of one run on one Postgres.
#
#   ./dev exec tests/peers/mcp-toolbox.sh [further arguments of `behalf bench call`]
#
# Needs npm. Installs the peer's package into a folder that is removed afterwards. BEHALF names a program that is built already.
set -euo pipefail
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
cd "$(dirname "$0")/../.."

version=1.12.0
port=${TOOLBOX_PORT:-5055}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$work" "@toolbox-sdk/server@$version" >&2

# The package starts the program of this platform; that program is started here, so that it can be stopped.
TOOLBOX=$(find "$work/node_modules/@toolbox-sdk" -path '*/bin/toolbox' -type f | head -n 1)
[ -n "$TOOLBOX" ] || { echo "the package has no program for this platform" >&2; exit 1; }
chmod +x "$TOOLBOX"
TOOLBOX_CONFIG=$work/tools.yaml
export TOOLBOX TOOLBOX_CONFIG

[ -n "${BEHALF-}" ] || { cargo build --profile dist >&2; BEHALF=target/dist/behalf; }
"$BEHALF" bench call --peer "http://127.0.0.1:$port/api/tool/lookup/invoke" \
    --peer-command "$PWD/tests/peers/mcp-toolbox-server.sh" "$@"
