import { current } from "./current.js";

export default {
  get: (...given) => current().kvGet(...given),
  set: (...given) => current().kvSet(...given),
  replace: (...given) => current().kvReplace(...given),
  remove: (...given) => current().kvRemove(...given),
  keys: (...given) => current().kvKeys(...given),
};
