export { default } from "behalf:tool/log@0.1.1";
