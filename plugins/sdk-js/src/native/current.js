/** Outside a component: the host that a test has set up. */

let host;

/** The test's host. */
export function current() {
  if (host === undefined) {
    throw new Error("There is no host here: call the tool through `new MockHost()` of behalf-sdk/testing.");
  }
  return host;
}

/** Makes `next` the current host and returns the one before it. */
export function install(next) {
  const before = host;
  host = next;
  return before;
}
