export { default } from "behalf:tool/kv@0.1.1";
