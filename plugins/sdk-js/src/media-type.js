const MEDIA_TYPE = /^[a-z][a-z0-9-]*\/[A-Za-z0-9!#$&^_.+-]+(?: *;.+)?$/;

/** `given`, if it is a media type, and one of this kind, as in `image`. */
export function mediaType(given, kind) {
  const fits = typeof given === "string" && MEDIA_TYPE.test(given);
  if (fits && (kind === undefined || given.startsWith(`${kind}/`))) return given;
  // Whoever swaps two arguments gives the data here.
  const shown = typeof given === "string" ? `"${given.slice(0, 100)}"` : `a value of the type ${typeof given}`;
  throw new TypeError(`${shown} is not a media type${kind === undefined ? ", as in text/markdown" : ` that begins with ${kind}/`}`);
}
