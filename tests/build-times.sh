#!/usr/bin/env bash
# Prints how long builds take after one word was changed in a route, in the gate and in the sandbox, as rows of a Markdown table.
#
#   ./dev exec tests/build-times.sh
#
# Changes three source files and puts them back. Run it while the machine does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds() {
    local begun=$EPOCHREALTIME
    "$@" >/dev/null 2>&1
    awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f", b - a }'
}

# The file that is changed right now, and how it was.
changed=
before=$(mktemp)
put_back() {
    [ -z "$changed" ] || cp "$before" "$changed"
    changed=
}
trap 'put_back; rm -f "$before"' EXIT

# row NAME FILE WORD OTHER: a build, and a check, each after a change of one word in a text of FILE.
row() {
    local name=$1 file=$2 word=$3 other=$4 build check
    grep -q "$word" "$file" || { echo "$file has no '$word'" >&2; exit 1; }
    cp "$file" "$before"
    changed=$file
    sed -i "s/$word/$other/" "$file"
    build=$(seconds cargo build --release)
    check=$(seconds cargo check --release)
    put_back
    printf '| %s | %s | %s |\n' "$name" "$build" "$check"
}

# So that only the changed word is measured.
cargo build --release >/dev/null 2>&1
cargo check --release >/dev/null 2>&1
printf '| a changed word in | `cargo build --release` s | `cargo check --release` s |\n| --- | ---: | ---: |\n'
row 'a route of `tools`' host/tools/src/routes/tools.rs 'Tool not found' 'No tool found'
row 'a route of `agents`' host/agents/src/routes/feedback.rs 'The feedback' 'That feedback'
row 'a route of `accounts`' host/accounts/src/routes/usage.rs 'must be one of day' 'has to be one of day'
row 'the gate' host/gate/src/refusal.rs 'send them one at a time' 'send one at a time'
row 'the sandbox' host/sandbox/src/outcome.rs 'the tool crashed' 'this tool crashed'
