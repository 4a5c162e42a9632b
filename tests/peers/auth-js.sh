#!/usr/bin/env bash
# Runs the tests of auth-js, Supabase's client of GoTrue, at /auth/v1, and compares what fails with auth-js-known.txt.
#
#   ./dev exec tests/peers/auth-js.sh [further arguments of jest]
#
# Needs npm, and git for the tests, which AUTH_JS can name instead (packages/core/auth-js of supabase/supabase-js). BEHALF names a
# program that is built already. The tests know one address, 127.0.0.1:54321. What is installed is removed afterwards.
set -euo pipefail
[ -z "${BEHALF-}" ] || BEHALF=$(realpath "$BEHALF")
[ -z "${AUTH_JS-}" ] || AUTH_JS=$(realpath "$AUTH_JS")
cd "$(dirname "$0")/../.."
. tests/peers/auth-host.sh

commit=381bded5ced48c4621830576bf8cbecc34edc85c

if [ -z "${AUTH_JS-}" ]; then
    git init --quiet "$work/supabase-js"
    git -C "$work/supabase-js" fetch --quiet --depth 1 https://github.com/supabase/supabase-js "$commit" >&2
    git -C "$work/supabase-js" checkout --quiet FETCH_HEAD
    AUTH_JS=$work/supabase-js/packages/core/auth-js
fi
suite=$work/suite
mkdir "$suite"
cp -R "$AUTH_JS/src" "$AUTH_JS/test" "$suite"

# Versions are those that the workspace of the tests names.
cat >"$suite/package.json" <<'JSON'
{
  "private": true,
  "dependencies": {
    "@faker-js/faker": "9.9.0", "@types/jest": "30.0.0", "@types/jsonwebtoken": "8.5.9", "@types/node": "20.19.9",
    "jest": "30.4.2", "jest-environment-jsdom": "30.4.1", "jest-mock-server": "0.1.0", "jsonwebtoken": "9.0.2",
    "prettier": "3.6.2", "ts-jest": "29.4.9", "tslib": "2.8.1", "typescript": "5.8.3"
  }
}
JSON
cat >"$suite/tsconfig.json" <<'JSON'
{
  "compilerOptions": {
    "module": "CommonJS", "moduleResolution": "Node", "target": "ES2017", "lib": ["es2022", "dom"], "strict": true,
    "esModuleInterop": true, "skipLibCheck": true, "importHelpers": true
  }
}
JSON
cat >"$suite/jest.config.js" <<'JS'
module.exports = {
  testEnvironment: 'node',
  transform: { '^.+\\.tsx?$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.json', diagnostics: false }] },
  // Passkeys, and hosts of a container for each setting.
  testPathIgnorePatterns: ['/node_modules/', '/docker-tests/', 'passkey', 'webauthn'],
  silent: true,
}
JS
npm install --loglevel=error --no-audit --no-fund --ignore-scripts --prefix "$suite" >&2

# The tests sign the project's keys themselves; here they are the host's.
(cd "$suite" && node test/generate-signing-keys.js >/dev/null)
python3 - "$suite/test/lib/clients.ts" <<'PYTHON'
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
start_host 54321

(cd "$suite" && npx jest --runInBand --forceExit --json --outputFile="$work/results.json" "$@" >&2) || true
node - "$work/results.json" tests/peers/auth-js-known.txt <<'JS'
const fs = require('node:fs')
const [results, known] = process.argv.slice(2).map((path) => fs.readFileSync(path, 'utf8'))
const listed = known.split('\n').filter((line) => line && !line.startsWith('#'))
const { testResults } = JSON.parse(results)
const tests = testResults.flatMap((file) => file.assertionResults)
const broken = testResults.filter((file) => file.status === 'failed' && !file.assertionResults.length)
const of = (status) => tests.filter((test) => test.status === status).map((test) => test.fullName)
const [passed, failed] = [of('passed'), of('failed')]
const found = tests.filter((test) => test.status === 'failed' && !listed.includes(test.fullName))
for (const test of found) console.log(`FAILED ${test.fullName}\n${test.failureMessages.join('\n').slice(0, 600)}\n`)
for (const file of broken) console.log(`NOT RUN ${file.name}\n${file.message.slice(0, 600)}\n`)
for (const name of listed.filter((name) => passed.includes(name))) console.log(`PASSES, and is listed as known: ${name}`)
console.log(`${passed.length} passed, ${failed.length - found.length} failed as known, ${found.length} failed`)
process.exit(found.length + broken.length > 0 ? 1 : 0)
JS
