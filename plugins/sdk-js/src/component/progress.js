export { default } from "behalf:tool/progress@0.1.1";
