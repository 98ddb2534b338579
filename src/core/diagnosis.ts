export { assess } from "./diagnosis/assess.ts";
