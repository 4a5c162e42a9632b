import { current } from "./current.js";

export default {
  write: (...given) => current().write(...given),
};
