export { default } from "behalf:tool/settings@0.1.1";
