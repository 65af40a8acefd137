/** Memory that all flights share: taken before bytes are received, given back when they are gone. */
export interface MemoryBudget {
  /** False when there is not so much left: do without. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  readonly taken: number;
}

export function createMemoryBudget(total: number): MemoryBudget {
  let taken = 0;
  return {
    take(bytes) {
      if (taken + bytes > total) return false;
      taken += bytes;
      return true;
    },
    give(bytes) {
      taken -= bytes;
    },
    get taken() {
      return taken;
    },
  };
}
