/**
 * `npm run sim:validate [-- --runs 20 --out DIR]`: the same scenario simulated and on real processes in network namespaces, and
 * whether they agree. Needs root, `ip` and `nft`; says so and does nothing where they are missing. A run on real processes
 * takes as long as it says. Ended and called again with the same --out it goes on. Exit code 1 when they do not agree, or
 * when nothing can be said with ten runs or more a side.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readEnvironment } from '../src/simulator/results/environment.ts';
import { readScenario, renderScenario } from '../src/simulator/scenario/read-scenario.ts';
import type { Scenario } from '../src/simulator/scenario/scenario.ts';
import { INTERVAL_RUNS } from '../src/simulator/statistics/run-summary.ts';
import { measureSide } from './sim-validate/measure-side.ts';
import { runReal } from './sim-validate/real-side.ts';
import { planRun, type RunPlan } from './sim-validate/run-plan.ts';
import { runSimulated } from './sim-validate/simulated-side.ts';
import { starNetworkMissing } from './sim-validate/star-network.ts';
import {
  compareSides,
  MOST_ELSEWHERE,
  renderNodes,
  renderSides,
  renderTable,
  type SideResult,
} from './sim-validate/validation-report.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..');
/** Besides its own time: processes, start and end. */
const OVERHEAD_MS = 60_000;
/** Of a real run on a machine that is busy with something else. */
const TRIES = 3;
/** A simulated run that takes longer than this hangs. */
const SIMULATED_MS = 1_800_000;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    scenario: { type: 'string', default: join(here, 'sim-validate', 'validate.yaml') },
    out: { type: 'string', default: join(root, 'bench-results', 'sim-validate') },
    /** `real` or `simulated`: that side alone, and no comparison; what is there is kept for one of both. */
    only: { type: 'string' },
  },
});
const runs = Number(values.runs);
if (!Number.isSafeInteger(runs) || runs < 1)
  throw new Error(`--runs: "${values.runs}" is not a number of runs`);

if (values.only !== undefined && !/^(real|simulated)$/.test(values.only))
  throw new Error(`--only: "${values.only}" is neither real nor simulated`);

const missing = values.only === 'simulated' ? false : starNetworkMissing();
if (missing !== false) {
  console.log(`skipped: ${missing}`);
  process.exit(0);
}
const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stopping.abort(new Error(`ended by ${name}`)));

const { scenario } = readScenario(await readFile(values.scenario, 'utf8'), values.scenario);
const { out } = values;
await mkdir(out, { recursive: true });
await claim(scenario);

const sides = { simulated: [] as SideResult[], real: [] as SideResult[] };
for (let run = 0; run < runs; run++) {
  const plan = await planRun(scenario, run);
  if (values.only !== 'simulated') sides.real.push(await kept(`real-${run}`, () => real(plan)));
  if (values.only !== 'real') sides.simulated.push(await kept(`simulated-${run}`, () => simulated(plan)));
}
if (values.only !== undefined) process.exit(0);

const validation = compareSides(sides.simulated, sides.real);
const lastHeal = (await planRun(scenario, 0)).heals.at(-1) ?? 0;
const text = `${runs} runs a side: ${validation.verdict}; ${validation.why}\n\n${renderTable(validation)}\n`;
await writeFile(join(out, 'validation.md'), text);
await writeFile(join(out, 'validation.csv'), renderNodes(sides.simulated, sides.real));
await writeFile(
  join(out, 'validation.svg'),
  renderSides(sides.simulated, sides.real, scenario.warmup + scenario.duration - lastHeal),
);
await writeFile(
  join(out, 'validation.json'),
  `${JSON.stringify({ ...validation, environment: await readEnvironment(root), ...sides }, null, 2)}\n`,
);
console.log(`\n${text}\n${out}`);
if (validation.verdict !== 'passed' && validation.verdict !== 'too few runs') process.exitCode = 1;

/** Made again, by this rule alone, when other programs had too much of the machine and something is to be claimed. */
async function real(plan: RunPlan): Promise<SideResult & { readonly log: object }> {
  const disturbed: number[] = [];
  for (;;) {
    const limit = AbortSignal.any([stopping.signal, AbortSignal.timeout(plan.end / 1000 + OVERHEAD_MS)]);
    const { events, heals, cpuSeconds, machineElsewhere, ...log } = await runReal(scenario, plan, limit);
    if (runs >= INTERVAL_RUNS && machineElsewhere > MOST_ELSEWHERE && disturbed.length < TRIES - 1) {
      disturbed.push(machineElsewhere);
      console.log(`real-${plan.run} again: ${percent(machineElsewhere)} of this machine was elsewhere`);
      continue;
    }
    return {
      ...measureSide(events, { ...plan, heals }),
      cpuSeconds,
      machineElsewhere,
      log: {
        disturbed,
        starts: plan.nodes.map(({ startsAt }) => startsAt),
        heals,
        ...log,
        events: events.filter(({ event }) => event.kind !== 'fact' || isTold(event.name)),
      },
    };
  }
}

async function simulated(plan: RunPlan): Promise<SideResult & { readonly log: object }> {
  const folder = join(out, `simulated-${plan.run}.run`);
  await rm(folder, { recursive: true, force: true });
  const { heals } = plan;
  const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(SIMULATED_MS)]);
  const { events, cpuSeconds } = await runSimulated(scenario, { run: plan.run, heals, out: folder, signal });
  // What is compared is in the log.
  await rm(folder, { recursive: true });
  return {
    ...measureSide(events, plan),
    cpuSeconds,
    machineElsewhere: undefined,
    log: { events: events.filter(({ event }) => event.kind === 'fact' && isTold(event.name)) },
  };
}

function isTold(name: string): boolean {
  return /^(head|publisher|peer|record):/.test(name);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** From the file, if this very run is there. */
async function kept(name: string, make: () => Promise<SideResult>): Promise<SideResult> {
  const file = join(out, `${name}.json`);
  const before = await readFile(file, 'utf8').catch(() => undefined);
  const text =
    before ??
    `${JSON.stringify(await make(), (_key, value: unknown) => (value === Infinity ? null : value))}\n`;
  if (before === undefined) {
    // Half of it would be read as a run's.
    await writeFile(`${file}.unfinished`, text);
    await rename(`${file}.unfinished`, file);
  }
  const result = JSON.parse(text) as SideResult & { readonly median: number | null };
  const own = { ...result, log: undefined, median: result.median ?? Infinity };
  const { machineElsewhere } = own;
  const elsewhere =
    machineElsewhere === undefined ? '' : `; ${percent(machineElsewhere)} of this machine elsewhere`;
  const words = `reconverged after ${(own.median / 1e6).toFixed(2)} s, delivery ${percent(own.delivery)}, ${own.cpuSeconds.toFixed(0)} s of CPU`;
  console.log(`${name}: ${words}${elsewhere}${before === undefined ? '' : ' (kept)'}`);
  return own;
}

/** The folder is of this scenario and program, or nobody's. */
async function claim(of: Scenario): Promise<void> {
  const environment = await readEnvironment(root);
  const mark = createHash('sha256')
    .update(JSON.stringify([renderScenario(of), environment]))
    .digest('hex');
  const file = join(out, 'of.txt');
  const before = await readFile(file, 'utf8').catch(() => undefined);
  if (before !== undefined && before !== mark)
    throw new Error(`${out} holds runs of another scenario or program: remove it or choose another --out`);
  await writeFile(file, mark);
}
