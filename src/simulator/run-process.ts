/**
 * Starts a simulated run in a process of its own, with the heap that it needs: with a node's small semi-space it is half as
 * fast. `entry` imports `open-world.ts` before anything else of ours.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';

/**
 * For V8: the young generation in which nearly all of a run's garbage dies, an old one that is not collected before there is
 * much to collect, room for a thousand nodes; and no threads of the collector's own: the second core is for a second run.
 * Buffers count as the rest of the heap does: by themselves they set off a full collection every 64 MB, which was a quarter of
 * a run's time (80 s, now 60).
 */
const heapFlags = [
  '--max-semi-space-size=128',
  '--initial-old-space-size=1024',
  '--max-old-space-size=8192',
  '--single-threaded-gc',
  '--external-memory-accounted-in-global-limit',
];

export function startRunProcess(
  entry: URL,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  return spawn(process.execPath, [...heapFlags, '--stack-trace-limit=0', entry.pathname, ...args], options);
}
