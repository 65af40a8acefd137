/** Spreads the targets over threads and watches them: one that hangs, or runs out of memory, is a failure like any other. */
import { Worker } from 'node:worker_threads';
import { type Counts, type Failure, noCounts, type Shard } from './fuzz-shard.ts';
import type { ShardDone, WorkerData } from './fuzz-worker.ts';

export interface FuzzOptions {
  /** A module that exports `targets`, and the names of those that are wanted. */
  readonly module: URL;
  readonly targets: readonly string[];
  /** In all. */
  readonly cases: number;
  readonly seed: number;
  readonly milliseconds: number;
  readonly threads: number;
  /** No reading may be under way for so long (ms). */
  readonly hang: number;
  readonly heapMegabytes: number;
  readonly onProgress?: (cases: number, target: string) => void;
}

export interface FuzzReport {
  readonly counts: ReadonlyMap<string, Counts>;
  readonly failures: readonly Failure[];
}

/** Of a target, so that its cases do not all come from one seed. */
const SHARDS = 4;
const CURRENT_BYTES = 1024 * 1024;

/** Ends with the first failure of each thread's shard; other targets go on. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const shards = shardsOf(options);
  const counts = new Map<string, Counts>(options.targets.map((name) => [name, noCounts()]));
  const failures: Failure[] = [];
  const failed = new Set<string>();
  let finished = 0;
  const running = new Set<() => number>();
  const next = (): Shard | undefined => {
    let shard = shards.shift();
    while (shard !== undefined && failed.has(shard.target)) shard = shards.shift();
    return shard;
  };
  const take = (done: ShardDone): void => {
    finished += done.counts.cases;
    add(counts.get(done.shard.target) as Counts, done.counts);
    if (done.failure !== undefined) {
      failures.push(done.failure);
      failed.add(done.shard.target);
    }
  };
  const timer = setInterval(() => {
    const under = [...running].reduce((sum, cases) => sum + cases(), 0);
    options.onProgress?.(finished + under, shards[0]?.target ?? 'the last');
  }, 500);
  try {
    await Promise.all(
      Array.from({ length: options.threads }, async () => {
        // A thread that was ended is followed by a new one.
        for (let shard = next(); shard !== undefined; shard = next())
          await runThread(options, shard, next, take, running);
      }),
    );
  } finally {
    clearInterval(timer);
  }
  return { counts, failures };
}

function shardsOf({ targets, cases, seed, milliseconds }: FuzzOptions): Shard[] {
  const each = Math.ceil(cases / targets.length / SHARDS);
  return targets.flatMap((target) =>
    Array.from({ length: SHARDS }, (_, i) => ({
      target,
      // Whichever targets are chosen and however many there are: the same cases.
      seed: (seed + i * 7919) | 0,
      cases: each,
      milliseconds: milliseconds / targets.length / SHARDS,
    })),
  );
}

async function runThread(
  options: FuzzOptions,
  first: Shard,
  next: () => Shard | undefined,
  take: (done: ShardDone) => void,
  running: Set<() => number>,
): Promise<void> {
  const data: WorkerData = {
    targets: options.module.href,
    progress: new SharedArrayBuffer(8),
    current: new SharedArrayBuffer(CURRENT_BYTES),
  };
  const progress = new Int32Array(data.progress);
  const worker = new Worker(new URL('fuzz-worker.ts', import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: options.heapMegabytes },
  });
  let shard: Shard | undefined = first;
  let before = 0;
  const cases = (): number => Atomics.load(progress, 0) - before;
  const fail = (what: string): void => {
    if (shard === undefined) return;
    const bytes = Buffer.from(new Uint8Array(data.current, 0, Atomics.load(progress, 1)));
    const failure = { target: shard.target, what, seed: shard.seed, path: undefined, inputs: [bytes] };
    take({ shard, counts: { ...noCounts(), cases: cases() }, failure });
    shard = undefined;
  };
  running.add(cases);
  let lastCount = -1;
  let lastChange = performance.now();
  const watch = setInterval(() => {
    const count = Atomics.load(progress, 0);
    if (count !== lastCount || count === 0) [lastCount, lastChange] = [count, performance.now()];
    if (performance.now() - lastChange < options.hang) return;
    fail(`hangs: nothing for ${options.hang} ms`);
    void worker.terminate();
  }, 100);
  try {
    await new Promise<void>((resolve) => {
      worker.on('message', (message: ShardDone | 'ready') => {
        if (message !== 'ready') {
          take(message);
          before = Atomics.load(progress, 0);
          shard = next();
        }
        if (shard === undefined) void worker.terminate();
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
        else worker.postMessage(shard);
      });
      worker.on('error', (error) => fail(`ended the thread with ${String(error)}`));
      worker.on('exit', () => {
        fail('ended the thread');
        resolve();
      });
    });
  } finally {
    clearInterval(watch);
    running.delete(cases);
  }
}

function add(sum: Counts, more: Counts): void {
  sum.cases += more.cases;
  sum.unaltered += more.unaltered;
  sum.other += more.other;
  sum.seconds += more.seconds;
  for (const [code, count] of Object.entries(more.refused))
    sum.refused[code] = (sum.refused[code] ?? 0) + count;
}
