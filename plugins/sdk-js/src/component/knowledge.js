export { default } from "behalf:tool/knowledge@0.1.1";
