export { default } from "behalf:tool/memory@0.1.1";
