export { default } from "wasi:random/random@0.2.12";
