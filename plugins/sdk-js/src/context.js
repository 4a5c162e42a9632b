import callerHost from "#host/caller";
import progressHost from "#host/progress";
import settingsHost from "#host/settings";

import { count, wellFormed } from "./text.js";
import { jsonText } from "./values.js";

/** What a call knows of itself. Each is asked of the host when it is first read. */
export class Context {
  #caller;
  #call;
  #settings;

  get caller() {
    if (this.#caller === undefined) {
      const { subject, role, claims } = callerHost.getIdentity();
      this.#caller = { subject: subject ?? null, role, claims: JSON.parse(claims) };
    }
    return this.#caller;
  }

  get call() {
    this.#call ??= JSON.parse(callerHost.getCall());
    return this.#call;
  }

  get settings() {
    this.#settings ??= JSON.parse(settingsHost.getAll());
    return this.#settings;
  }

  get remainingMs() {
    return Number(callerHost.remainingMs());
  }

  progress(done, total, message) {
    const whole = total === undefined ? null : count(total);
    progressHost.report(count(done), whole, message === undefined ? null : wellFormed(message));
  }

  partial(value) {
    progressHost.partial(jsonText(value ?? null));
  }
}
