/** How the checks of a whole scenario say what is wrong, by JSON Pointer. */
export interface Complain {
  (pointer: string, message: string, fix: string): void;
}
