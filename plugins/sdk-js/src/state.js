/** Whether a call has begun. Before that a component is being built, and calling the host would end the build. */

let called = false;
let said = {};

/** True from the first call on; an instance makes one. */
export function isCalled() {
  return called;
}

/** A call begins. */
export function begin() {
  called = true;
}

/** What the tool that is called says of itself: its annotations. */
export function hints() {
  return said;
}

/** A tool that says this of itself is called from here on. */
export function sayHints(annotations = {}) {
  said = annotations;
}
