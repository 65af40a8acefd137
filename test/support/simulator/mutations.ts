/**
 * Defences of the program that the simulator must miss when they are gone: each with the text that takes it away, and a small
 * scenario with the faults of a built-in one that then fails by name. With the program as it is each of them passes.
 */
import type { Patch } from './mutated-tree.ts';

export interface Mutation {
  /** The defence that is gone. */
  readonly without: string;
  /** The built-in scenario that has these faults. */
  readonly like: string;
  readonly patches: readonly Patch[];
  readonly scenario: string;
  /** `what` of the findings that fail. */
  readonly fails: readonly string[];
}

const small = `
nodes: { count: 8, regions: { eu: 0.5, na: 0.5 }, profiles: { server: 1 } }
warmup: 40s
`;

/** Short enough for every test run. */
export const hashCheck: Mutation = {
  without: 'the hash check of fetched blobs',
  like: 'byzantine-split',
  patches: [
    {
      file: 'src/store/memory-partial.ts',
      text: '    return hasher.digest();\n',
      becomes: '    return digest;\n',
    },
  ],
  scenario: `
name: wrong-bytes
${small}
duration: 15s
workload:
  publishers: 2
  snapshots: { every: 15s }
  pip: { rate: 3/s }
  upstream: { projects: 20, file_size: 20kB }
faults:
  - { id: liars, at: 0s, byzantine: 'node:0-3 & !role:publisher', behaviour: [wrong-bytes] }
  - { id: down, at: 1s, upstream: down }
`,
  fails: ['never wrong_bytes'],
};

const reseedLoop: Mutation = {
  without: 'the re-seed loop',
  like: 'even-split',
  patches: [
    {
      file: 'src/network/libp2p/libp2p-peer-network.ts',
      text: '  reseed.start();\n',
      becomes: '',
    },
  ],
  scenario: `
name: split
${small}
duration: 85s
workload:
  publishers: 2
  snapshots: { every: 15s }
  new_files: { every: 10s }
  pip: { rate: 0.5/s }
  upstream: { projects: 10, file_size: 20kB }
faults:
  - { id: split, at: 5s, for: 15s, partition: [['region:eu'], ['region:na']] }
assert:
  within: { converged: { after: heal(split), within: 30s } }
`,
  fails: ['converged within 30 s of heal(split)'],
};

/**
 * Where clients look things up, their look-ups in the DHT dial the other side and heal the cut without the loop: seen with ten
 * nodes after 12 s. What is idle does not heal.
 */
const reseedForEver: Mutation = {
  without: 'the re-seed loop after its first five rounds',
  like: 'even-split',
  patches: [
    {
      file: 'src/network/libp2p/reseed.ts',
      text: '    if (closing.signal.aborted) return;\n    timer = clock.setTimer(() => {\n',
      becomes: '    if (closing.signal.aborted || rounds >= 5) return;\n    timer = clock.setTimer(() => {\n',
    },
  ],
  scenario: `
name: quiet-even-split
nodes: { count: 10, regions: { eu: 0.5, na: 0.5 }, profiles: { server: 1 } }
warmup: 90s
duration: 9m
workload:
  publishers: { count: 1, among: even }
  snapshots: { every: 30s }
  new_files: { every: 20s }
  pip: none
  upstream: { projects: 10, file_size: 20kB }
policy: { threshold: 1 }
faults:
  - { id: split, at: 30s, for: 5m, partition: [[even], [odd]] }
assert:
  within:
    converged: { after: heal(split), within: 3m }
    reconverge_topology: { after: heal(split), within: 3m }
`,
  fails: ['reconverge_topology within 180 s of heal(split)'],
};

/**
 * Both publishers run a program that signs whatever the upstream says, and the upstream they are shown is that of the
 * beginning. Theirs are the first three patches, and no honest follower goes back for it; it has two guards, either of which
 * is enough: what it kept of a name, and the votes of the past.
 */
const rollbackGuard: Mutation = {
  without: 'the guards of a follower against an index that goes back',
  like: 'byzantine-split',
  patches: [
    {
      file: 'src/mirror/publish/page-reader.ts',
      text: 'page.entry.serial < before.serial;',
      becomes: 'page.entry.serial < 0;',
    },
    {
      file: 'src/mirror/publish/watch-upstream.ts',
      text: 'list.serials && this.#serial !== undefined && list.serial < this.#serial;',
      becomes: 'list.serial < 0;',
    },
    {
      file: 'src/mirror/publish/compare-list.ts',
      text: 'listed > serial',
      becomes: 'listed !== serial',
    },
    {
      file: 'src/core/belief/believe.ts',
      text: '  let page: Standing | undefined;\n',
      becomes: '  kept = undefined;\n  let page: Standing | undefined;\n',
    },
    {
      file: 'src/core/belief/vote-memory.ts',
      text: '    const shelf = this.#shelf(voter);\n    const before',
      becomes: '    if (vote.at > 0) return [];\n    const shelf = this.#shelf(voter);\n    const before',
    },
  ],
  scenario: `
name: rollback
nodes: { count: 5, regions: { eu: 0.5, na: 0.5 }, profiles: { server: 1 } }
warmup: 30s
duration: 80s
workload:
  publishers: 2
  snapshots: { every: 10s }
  new_files: { every: 5s }
  pip: { rate: 2/s, popularity: { zipf: 0.5 } }
  upstream: { projects: 4, file_size: 20kB }
policy: { threshold: 2 }
faults:
  - { id: liars, at: 30s, byzantine: 'role:publisher', behaviour: [rolled-back] }
assert:
  never: [index_rollback]
`,
  fails: ['never index_rollback'],
};

export const mutations: readonly Mutation[] = [hashCheck, rollbackGuard, reseedLoop, reseedForEver];
