/** What this node holds of a voter's log, for its peers. */
import type { IndexMaps } from '../../store/index-map/index-maps.ts';
import type { FollowedLog } from './followed-log.ts';
import type { FollowedMap } from './followed-map.ts';
import type { IndexSource } from './index-source.ts';

export function createFollowedSource(
  log: FollowedLog,
  map: FollowedMap,
  maps: Pick<IndexMaps, 'bin'>,
): IndexSource {
  return {
    origin: log.origin,
    get size() {
      return log.size;
    },
    announcements: (above) => log.announcements(above),
    record: (seq) => log.record(seq),
    leaf: (seq) => log.tail?.leaf(seq),
    delta: (seq) => log.delta(seq),
    leaves: async (digest) => map.leaves(digest),
    bin: (hash) => maps.bin(hash),
    async proveBin(number, mapRoot) {
      if (map.head?.record.mapRoot !== mapRoot || map.map.root() !== mapRoot) return undefined;
      const proof = await map.map.proveBin(number);
      return map.map.root() === mapRoot ? proof : undefined;
    },
    async proveInclusion(seq, size) {
      if (log.tail === undefined) throw new RangeError(`nothing of the log ${log.origin} is here`);
      return log.tail.proveInclusion(seq, size);
    },
    async proveConsistency(from, to) {
      if (log.tail === undefined) throw new RangeError(`nothing of the log ${log.origin} is here`);
      return log.tail.proveConsistency(from, to);
    },
  };
}
