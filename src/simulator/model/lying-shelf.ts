/** A shelf that gives other bytes than it should, while the node lies: of the right length, wrong at the end of each read. */
import type { Shelf } from '../../network/peer-network.ts';

export function createLyingShelf(honest: Shelf, lies: () => boolean): Shelf {
  return {
    size: (digest) => honest.size(digest),
    async open(digest) {
      const reader = await honest.open(digest);
      if (reader === undefined || !lies()) return reader;
      return {
        // A number object equals no number: so the liar's node, which is honest code, does not hash what it sends.
        size: Object(reader.size) as number,
        async read(target, offset) {
          const count = await reader.read(target, offset);
          if (count > 0) target[count - 1] = (target[count - 1] as number) ^ 0x55;
          return count;
        },
        [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
      };
    },
    reportCorrupt: (digest) => honest.reportCorrupt(digest),
    shared: () => honest.shared(),
  };
}
