const encoded = (text) =>
  encodeURIComponent(text.toWellFormed())
    .replace(/%20/g, "+")
    .replace(/[!'()~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

function decoded(text) {
  const plain = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}

/** The names and values of a query or a form. */
export class URLSearchParams {
  #pairs = [];

  constructor(given = "") {
    if (typeof given === "string") {
      const parts = given.replace(/^\?/, "").split("&").filter((part) => part !== "");
      this.#pairs = parts.map((part) => {
        const [name, ...value] = part.split("=");
        return [decoded(name), decoded(value.join("="))];
      });
    } else {
      const pairs = typeof given[Symbol.iterator] === "function" ? given : Object.entries(given);
      for (const [name, value] of pairs) this.append(name, value);
    }
  }

  get size() {
    return this.#pairs.length;
  }

  append(name, value) {
    this.#pairs.push([String(name), String(value)]);
  }

  set(name, value) {
    const at = this.#pairs.findIndex(([one]) => one === String(name));
    if (at < 0) return this.append(name, value);
    this.#pairs = this.#pairs.filter(([one], place) => one !== String(name) || place === at);
    this.#pairs[at][1] = String(value);
  }

  get(name) {
    return this.#pairs.find(([one]) => one === String(name))?.[1] ?? null;
  }

  getAll(name) {
    return this.#pairs.filter(([one]) => one === String(name)).map(([, value]) => value);
  }

  has(name) {
    return this.get(name) !== null;
  }

  delete(name) {
    this.#pairs = this.#pairs.filter(([one]) => one !== String(name));
  }

  forEach(work) {
    for (const [name, value] of this.#pairs) work(value, name, this);
  }

  entries() {
    return this.#pairs.map((pair) => [...pair])[Symbol.iterator]();
  }

  keys() {
    return this.#pairs.map(([name]) => name)[Symbol.iterator]();
  }

  values() {
    return this.#pairs.map(([, value]) => value)[Symbol.iterator]();
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  toString() {
    return this.#pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&");
  }
}
