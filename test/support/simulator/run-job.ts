/** One run in a process that is started as the caller likes: another heap, time zone or language than `run-process.ts` gives. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { jobFile, outcomeFile, type RunJob, type RunOutcome } from '../../../src/simulator/run/run-job.ts';
import { renderScenario } from '../../../src/simulator/scenario/read-scenario.ts';
import type { Scenario } from '../../../src/simulator/scenario/scenario.ts';

const child = fileURLToPath(new URL('../../../src/simulator/run/run-child.ts', import.meta.url));

export interface Circumstances {
  /** For V8. */
  readonly flags: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Run 0 of seed 1. */
export async function runJob(scenario: Scenario, { flags, env = {} }: Circumstances): Promise<RunOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'fondue-run-job-'));
  try {
    const rendered = renderScenario({ ...scenario, seed: 1 });
    const job: RunJob = {
      scenario: rendered,
      seed: 1,
      run: 0,
      point: 0,
      settings: [],
      replay: false,
      until: undefined,
    };
    await writeFile(join(folder, jobFile), JSON.stringify(job));
    const started = spawn(process.execPath, [...flags, child, folder], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(started, 'close') as Promise<[number | null]>;
    const said = await text(started.stdout);
    const [code] = await closed;
    assert.equal(code, 0, said.slice(-2000));
    return JSON.parse(await readFile(join(folder, outcomeFile), 'utf8')) as RunOutcome;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
