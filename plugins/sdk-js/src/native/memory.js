import { current } from "./current.js";

export default {
  remember: (...given) => current().remember(...given),
  recall: (...given) => current().recall(...given),
  forget: (...given) => current().forget(...given),
};
