/**
 * Promises that are settled while a call waits. The engine settles its own after a call has returned, which is too late, so
 * the build turns `async` functions into others that use these.
 */

const queue = [];

/** Runs `job` before the call goes on waiting. */
export function queueMicrotask(job) {
  queue.push(job);
}

export class Promise {
  #state = "pending";
  #value;
  #waiting = [];

  constructor(executor) {
    if (typeof executor !== "function") throw new TypeError("a promise is made with a function");
    const { resolve, reject } = this.#ends();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  /** The two functions that settle it; the first call counts. */
  #ends() {
    let done = false;
    const once = (end) => (value) => {
      if (done) return;
      done = true;
      end(value);
    };
    return { resolve: once((value) => this.#resolve(value)), reject: once((error) => this.#settle("rejected", error)) };
  }

  #resolve(value) {
    if (value === this) return this.#settle("rejected", new TypeError("a promise waits for itself"));
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return this.#settle("fulfilled", value);
    let then;
    try {
      then = value.then;
    } catch (error) {
      return this.#settle("rejected", error);
    }
    if (typeof then !== "function") return this.#settle("fulfilled", value);
    queue.push(() => {
      const { resolve, reject } = this.#ends();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    this.#state = state;
    this.#value = value;
    for (const reaction of this.#waiting) queue.push(reaction);
    this.#waiting = [];
  }

  then(onFulfilled, onRejected) {
    return new Promise((resolve, reject) => {
      const reaction = () => {
        const failed = this.#state === "rejected";
        const handler = failed ? onRejected : onFulfilled;
        try {
          if (typeof handler === "function") resolve(handler(this.#value));
          else if (failed) reject(this.#value);
          else resolve(this.#value);
        } catch (error) {
          reject(error);
        }
      };
      if (this.#state === "pending") this.#waiting.push(reaction);
      else queue.push(reaction);
    });
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(work) {
    const before = (go) => (value) => Promise.resolve(work?.()).then(() => go(value));
    const fail = (error) => {
      throw error;
    };
    return this.then(before((value) => value), before(fail));
  }

  static resolve(value) {
    return value instanceof Promise ? value : new Promise((resolve) => resolve(value));
  }

  static reject(error) {
    return new Promise((_, reject) => reject(error));
  }

  static withResolvers() {
    let ends;
    const promise = new Promise((resolve, reject) => (ends = { resolve, reject }));
    return { promise, ...ends };
  }

  static try(work, ...given) {
    return new Promise((resolve) => resolve(work(...given)));
  }

  static all(promises) {
    return collected(promises, (promise, keep, _, reject) => promise.then(keep, reject));
  }

  static allSettled(promises) {
    return collected(promises, (promise, keep) =>
      promise.then(
        (value) => keep({ status: "fulfilled", value }),
        (reason) => keep({ status: "rejected", reason }),
      ),
    );
  }

  static any(promises) {
    const failed = (errors) => {
      throw new AggregateError(errors, "all promises were rejected");
    };
    return new Promise((resolve, reject) => {
      collected(promises, (promise, keep) => promise.then(resolve, keep)).then(failed).catch(reject);
    });
  }

  static race(promises) {
    return new Promise((resolve, reject) => {
      for (const promise of promises) Promise.resolve(promise).then(resolve, reject);
    });
  }
}

Object.defineProperty(Promise.prototype, Symbol.toStringTag, { value: "Promise", configurable: true });

/** A promise of what is kept of each. */
function collected(promises, wait) {
  return new Promise((resolve, reject) => {
    const all = Array.from(promises);
    const kept = new Array(all.length);
    let left = all.length;
    if (left === 0) resolve(kept);
    all.forEach((promise, at) => {
      const keep = (value) => {
        kept[at] = value;
        left -= 1;
        if (left === 0) resolve(kept);
      };
      wait(Promise.resolve(promise), keep, resolve, reject);
    });
  });
}

/** Runs everything that waits, and returns what the promise came to. */
export function settled(promise) {
  let end;
  Promise.resolve(promise).then(
    (value) => (end = { value }),
    (error) => (end = { error }),
  );
  for (let job = queue.shift(); job !== undefined && end === undefined; job = queue.shift()) job();
  if (end === undefined) {
    throw new Error("The tool waits for a promise that nothing settles: there are no timers and no events in a component.");
  }
  if ("error" in end) throw end.error;
  return end.value;
}
