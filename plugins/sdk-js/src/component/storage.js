export { default } from "behalf:tool/storage@0.1.1";
