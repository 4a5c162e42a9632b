import { current } from "./current.js";

export default {
  listObjects: (...given) => current().listObjects(...given),
  read: (...given) => current().readObject(...given),
  write: (...given) => current().writeObject(...given),
  remove: (...given) => current().removeObject(...given),
  signedUrl: (...given) => current().signedUrl(...given),
};
