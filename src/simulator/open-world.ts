/**
 * The simulator's entry: starts the kernel of this process, and only then loads the rest. Import nothing else of ours before
 * it; once a process, in one that `run-process.ts` started.
 */
import { registerHooks } from 'node:module';
import { cpuCosts, type CpuTable } from './kernel/cpu/cpu-costs.ts';
import { startKernel } from './kernel/start-kernel.ts';
import { Trace } from './kernel/trace.ts';
import { peerLockUrl } from './nodes/peer-lock.ts';
import type { SimulatedWorld, WorldOptions } from './nodes/simulated-world.ts';
import { createRandomness, deriveStream } from './scenario/streams.ts';

export interface OpenWorldOptions extends WorldOptions {
  readonly cpu: CpuTable;
  /** That all nodes share; undefined: each has one of its own. */
  readonly cores?: number | undefined;
  /** Wall time at the start, ms since 1970. */
  readonly epoch?: number;
  /** Each line that the trace hashes. */
  readonly onTrace?: (line: string) => void;
}

export async function openWorld(options: OpenWorldOptions): Promise<SimulatedWorld> {
  const { onTrace: onLine } = options;
  const kernel = startKernel({
    epoch: options.epoch ?? Date.UTC(2026, 0, 1),
    costs: cpuCosts[options.cpu],
    cores: options.cores,
    randomness: createRandomness(deriveStream(options.seed, options.run, 'world', 'kernel')),
  });
  const trace = new Trace({ payloads: true, ...(onLine ? { onLine } : {}) });
  const locks = replaceLocks();
  const { SimulatedWorld } = await import('./nodes/simulated-world.ts');
  if (!locks.replaced) throw new Error('the peer store has no locks of mortice any more: see peer-lock.ts');
  // What a node loads when it first needs it: loading takes real time.
  await import('../network/libp2p/index-gossip-settings.ts');
  await import('../open-index.ts');
  await import('../mirror/believed/believed-pages.ts');
  await import('../mirror/believed/believed-list.ts');
  return new SimulatedWorld({ kernel, trace }, options);
}

/** Of libp2p's peer store: with the stock ones nodes in one process wait for each other. */
function replaceLocks(): { replaced: boolean } {
  const seen = { replaced: false };
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== 'mortice') return next(specifier, context);
      seen.replaced = true;
      return { url: peerLockUrl, shortCircuit: true };
    },
  });
  return seen;
}
