/** The simulated side: the shipped simulator's run, and what its folder holds of events. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import type { ModelEvent } from '../../src/simulator/model/model-event.ts';
import { runScenario } from '../../src/simulator/run/run-scenario.ts';
import type { Scenario } from '../../src/simulator/scenario/scenario.ts';
import type { TimedEvent } from './measure-side.ts';

export interface SideRun {
  /** In their order. */
  readonly events: readonly TimedEvent[];
  /** When cut links were up again; microseconds since the plan's 0. */
  readonly heals: readonly number[];
  /** Seconds of CPU time, all nodes. */
  readonly cpuSeconds: number;
}

/** @param out a folder that is not there yet */
export async function runSimulated(
  scenario: Scenario,
  { run, heals, out, signal }: { run: number; heals: readonly number[]; out: string; signal: AbortSignal },
): Promise<SideRun> {
  const { cpuSeconds } = await runScenario(scenario, { seed: scenario.seed, run, out, signal });
  const lines = zstdDecompressSync(await readFile(join(out, 'events.jsonl.zst')))
    .toString()
    .split('\n');
  const events = lines
    .filter((line) => line !== '')
    .map((line): TimedEvent => {
      const { at, ...event } = JSON.parse(line) as { at: number } & ModelEvent;
      return { at, event };
    });
  return { events, heals, cpuSeconds };
}
