import { current } from "./current.js";

export default {
  getAll: (...given) => current().getAll(...given),
};
