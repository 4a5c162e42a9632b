import { current } from "./current.js";

export default {
  getIdentity: (...given) => current().getIdentity(...given),
  getCall: (...given) => current().getCall(...given),
  remainingMs: (...given) => current().remainingMs(...given),
};
