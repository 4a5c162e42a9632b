import { current } from "./current.js";

export default {
  search: (...given) => current().search(...given),
};
