/** A thread of the fuzzer: takes shards, one after the other, and tells in shared memory what it is at. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Target } from './fuzz-case.ts';
import { noCounts, runShard, type Counts, type Failure, type Shard } from './fuzz-shard.ts';

/** The first words count the cases and say how many bytes of `current` are those that are being read; 0: none. */
export interface WorkerData {
  /** A module that exports `targets`. */
  readonly targets: string;
  readonly progress: SharedArrayBuffer;
  readonly current: SharedArrayBuffer;
}

export interface ShardDone {
  readonly shard: Shard;
  readonly counts: Counts;
  readonly failure: Failure | undefined;
}

if (parentPort !== null) {
  const port = parentPort;
  const { targets: module, ...shared } = workerData as WorkerData;
  const { targets } = (await import(module)) as { targets: readonly Target[] };
  const progress = new Int32Array(shared.progress);
  const current = new Uint8Array(shared.current);
  const watch = (bytes: Uint8Array): void => {
    const shown = bytes.subarray(0, current.length);
    current.set(shown);
    Atomics.store(progress, 1, shown.length);
    Atomics.add(progress, 0, 1);
  };
  const run = async (shard: Shard): Promise<void> => {
    const target = targets.find(({ name }) => name === shard.target) as Target;
    const counts = noCounts();
    const start = process.threadCpuUsage();
    const failure = await runShard(target, shard, counts, watch);
    const { user, system } = process.threadCpuUsage(start);
    counts.seconds = (user + system) / 1e6;
    port.postMessage({ shard, counts, failure } satisfies ShardDone);
  };
  port.on('message', (shard: Shard) => void run(shard));
  port.postMessage('ready');
}
