import { KvError } from "./errors.js";

/** Bytes of a key and of a value, and keys of one answer, as on the host. */
const MAX_KEY = 256;
const MAX_VALUE = 65_536;
const MAX_KEYS = 1000;

const encoder = new TextEncoder();
const bytes = (text) => encoder.encode(text).length;

/** As the host orders keys: by their bytes, which is by their code points. */
function byBytes(a, b) {
  const [one, other] = [[...a], [...b]];
  for (let place = 0; place < Math.min(one.length, other.length); place++) {
    const difference = one[place].codePointAt(0) - other[place].codePointAt(0);
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

const copyOf = (all) => new Map([...all].map(([user, entries]) => [user, new Map(entries)]));

/** The stores of a mocked host's plugin. As on the host, what is written is undone with its call or its scope. */
export class MockStores {
  shared = false;
  /** Thrown by every operation, where a test says so. */
  failure;

  /** Entries of each user, or of null for the store that callers share. */
  #all = new Map();
  /** What there was at the begin of each open scope, the innermost last. */
  #beforeScopes = [];
  /** What there was at the begin of the call, or at its last commit. */
  #beforeCall = new Map();

  of(user) {
    const owner = this.shared ? null : user;
    if (!this.#all.has(owner)) this.#all.set(owner, new Map());
    return this.#all.get(owner);
  }

  beginCall() {
    this.#beforeCall = copyOf(this.#all);
  }

  endCall(keep) {
    this.#beforeScopes = [];
    if (!keep) this.#all = this.#beforeCall;
  }

  commit() {
    this.#beforeCall = copyOf(this.#all);
  }

  beginScope() {
    this.#beforeScopes.push(copyOf(this.#all));
  }

  endScope(keep) {
    const before = this.#beforeScopes.pop();
    if (!keep) this.#all = before;
  }

  /** The host's functions on the store of a user; `check` throws where the call can do nothing more. */
  host(user, check) {
    const checked = (work) => (...given) => {
      check();
      this.#check(user);
      return work(this.of(user), ...given);
    };
    return {
      kvGet: checked((mine, key) => mine.get(isKey(key)) ?? null),
      kvSet: checked((mine, key, value) => void mine.set(isKey(key), isValue(value))),
      kvReplace: checked((mine, key, old, value) => {
        const fits = (mine.get(isKey(key)) ?? null) === old;
        if (fits) mine.set(key, isValue(value));
        return fits;
      }),
      kvRemove: checked((mine, key) => mine.delete(isKey(key))),
      kvKeys: checked((mine, prefix, after, limit) => {
        if (limit < 1 || limit > MAX_KEYS) throw new KvError("invalid", `the limit is a number from 1 to ${MAX_KEYS}`);
        const found = [...mine.keys()].filter((key) => key.startsWith(prefix) && (after === null || byBytes(key, after) > 0));
        return found.sort(byBytes).slice(0, limit);
      }),
    };
  }

  #check(user) {
    if (this.failure !== undefined) throw this.failure;
    if (user === null && !this.shared) {
      throw new KvError("denied", "each user has a store of this plugin, and this call is made for no user");
    }
  }
}

function isKey(key) {
  if (key === "" || bytes(key) > MAX_KEY || key.includes("\0")) {
    throw new KvError("invalid", `a key has 1 to ${MAX_KEY} bytes, and no zero byte`);
  }
  return key;
}

function isValue(value) {
  if (bytes(value) > MAX_VALUE) throw new KvError("invalid", `a value has at most ${MAX_VALUE} bytes`);
  return value;
}
