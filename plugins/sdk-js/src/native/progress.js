import { current } from "./current.js";

export default {
  report: (...given) => current().report(...given),
  partial: (...given) => current().partial(...given),
};
