// Notes for each test whether it sent a request to the host, and sends requests on as the script says. What a test sends to a server
// of its own, or to a function that stands for one, is no such request.
const fs = require('node:fs')
const { subscribe, unsubscribe } = require('node:diagnostics_channel')

const HOST = /^(https?:\/\/)?(127\.0\.0\.1|localhost|\[::1\]):54321$/
const rewrite = Object.entries(JSON.parse(process.env.SUITE_REWRITE || '{}'))
const addsKey = Boolean(process.env.SUITE_ADD_KEY)

let current
const noted = new Set()
function note(origin) {
  if (!HOST.test(String(origin))) return
  // Without a name: a request of a hook that prepares several tests.
  const line = JSON.stringify([expect.getState().testPath, current ?? null])
  if (!noted.has(line)) fs.appendFileSync(process.env.SUITE_REQUESTS, `${line}\n`)
  noted.add(line)
}
const ofFetch = ({ request }) => note(request.origin)
const ofHttp = ({ request }) => note(request.getHeader('host'))
subscribe('undici:request:create', ofFetch)
subscribe('http.client.request.start', ofHttp)
beforeEach(() => { current = expect.getState().currentTestName })
afterEach(() => { current = undefined })
afterAll(() => {
  unsubscribe('undici:request:create', ofFetch)
  unsubscribe('http.client.request.start', ofHttp)
})

const send = globalThis.fetch
if (send && (rewrite.length > 0 || addsKey)) {
  globalThis.fetch = (input, init = {}) => {
    let url = String(input instanceof Request ? input.url : input)
    const found = rewrite.find(([from]) => url.startsWith(from))
    if (found) url = found[1] + url.slice(found[0].length)
    if (!HOST.test(url.split('/').slice(0, 3).join('/'))) return send(input, init)
    const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : {}))
    if (addsKey && !headers.has('apikey')) headers.set('apikey', process.env.ANON_KEY)
    return send(input instanceof Request ? new Request(url, input) : url, { ...init, headers })
  }
}
