/** A result that is more than JSON. */

import { mediaType } from "./media-type.js";

/** Blocks that a result may have. */
const MAX_BLOCKS = 100;

/** Bytes that become text at a time: they are arguments of one call, and the stack has an end. */
const CHUNK = 4096;

let blocksOf;

/** A result of texts, images, sounds, links and files, in this order for whoever reads it. */
export class Content {
  #blocks = [];

  static {
    blocksOf = (content) => content.#blocks;
  }

  text(text) {
    return this.#add({ type: "text", text: textOf(text) });
  }

  image(mimeType, data) {
    return this.#add({ type: "image", mimeType: mediaType(mimeType, "image"), data: base64(data) });
  }

  audio(mimeType, data) {
    return this.#add({ type: "audio", mimeType: mediaType(mimeType, "audio"), data: base64(data) });
  }

  link(uri, name, { mimeType, description } = {}) {
    return this.#add({
      type: "resource_link",
      uri: addressOf(uri),
      name: textOf(name),
      ...(mimeType === undefined ? {} : { mimeType: mediaType(mimeType) }),
      ...(description === undefined ? {} : { description: textOf(description) }),
    });
  }

  file(uri, mimeType, content) {
    const file = { uri: textOf(uri), mimeType: mediaType(mimeType) };
    const held = typeof content === "string" ? { text: content } : { blob: base64(content) };
    return this.#add({ type: "resource", resource: { ...file, ...held } });
  }

  /** JSON would make an empty object of it, without a word. */
  toJSON() {
    throw new TypeError("a Content is a whole result: return it, and not data that holds it");
  }

  #add(block) {
    if (this.#blocks.length === MAX_BLOCKS) throw new TypeError(`a Content has at most ${MAX_BLOCKS} parts`);
    this.#blocks.push(block);
    return this;
  }
}

/** The blocks of a content, in the shape of MCP. */
export { blocksOf };

function textOf(given) {
  if (typeof given !== "string") throw new TypeError(`a text is needed here, and this is a value of the type ${typeof given}`);
  return given;
}

function addressOf(uri) {
  if (!/^[a-z][a-z0-9+.-]*:./i.test(textOf(uri))) throw new TypeError(`"${uri}" has no scheme, as in https://a.test`);
  return uri;
}

function base64(data) {
  if (!(data instanceof Uint8Array)) throw new TypeError(`a Uint8Array is needed here, and this is a value of the type ${typeof data}`);
  let binary = "";
  for (let at = 0; at < data.length; at += CHUNK) binary += String.fromCharCode(...data.subarray(at, at + CHUNK));
  return btoa(binary);
}
