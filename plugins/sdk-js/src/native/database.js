import { current } from "./current.js";

export default {
  query: (...given) => current().query(...given),
  execute: (...given) => current().execute(...given),
  commit: (...given) => current().commit(...given),
  beginScope: (...given) => current().beginScope(...given),
  endScope: (...given) => current().endScope(...given),
  describe: (...given) => current().describe(...given),
};
