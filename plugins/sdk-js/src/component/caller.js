export { default } from "behalf:tool/caller@0.1.1";
