/** Whether a call has begun. Before that a component is being built, and calling the host would end the build. */

let called = false;

/** True from the first call on; an instance makes one. */
export function isCalled() {
  return called;
}

/** A call begins. */
export function begin() {
  called = true;
}
