/** `value` as text that UTF-8 can say. What the bindings cannot pass on ends the call without a word. */
export function wellFormed(value) {
  return String(value).toWellFormed();
}

/** `value` as the whole number that a progress report takes. */
export function count(value) {
  return Math.min(Math.max(0, Math.trunc(Number(value)) || 0), Number.MAX_SAFE_INTEGER);
}
