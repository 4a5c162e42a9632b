/**
 * Gives interfaces of WASI their names in a component that was made with others: `late:http/types` is `wasi:http/types`. wit/http.wit
 * says why. Both names are of one length, so only their letters change, in the sections that list imports.
 */

const IMPORTS = 10;
const LATE = new TextEncoder().encode("late:");
const WASI = new TextEncoder().encode("wasi:");

/** A copy of the component with WASI's names. */
export function named(component) {
  const bytes = Uint8Array.from(component);
  // Behind the magic number and the version there are sections: a byte for the kind, the size, the content.
  for (let at = 8; at < bytes.length; ) {
    const kind = bytes[at];
    const { value: size, next } = number(bytes, at + 1);
    at = next + size;
    if (kind === IMPORTS) rename(bytes.subarray(next, at));
  }
  return bytes;
}

function rename(section) {
  for (let at = 0; at + LATE.length <= section.length; at += 1) {
    if (LATE.every((letter, place) => section[at + place] === letter)) section.set(WASI, at);
  }
}

/** An unsigned number as WebAssembly writes it (LEB128). */
function number(bytes, at) {
  let value = 0;
  for (let scale = 1; ; scale *= 128, at += 1) {
    value += (bytes[at] & 0x7f) * scale;
    if (bytes[at] < 0x80) return { value, next: at + 1 };
  }
}
