/** Bytes that may be held for all peers together. Never more is given out than there is. */
export interface Budget {
  /** All of it, or nothing and false. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  readonly used: number;
}

export function createBudget(total: number): Budget {
  let used = 0;
  return {
    take(bytes) {
      if (used + bytes > total) return false;
      used += bytes;
      return true;
    },
    give: (bytes) => void (used -= bytes),
    get used() {
      return used;
    },
  };
}
