export { default } from "behalf:tool/database@0.1.1";
