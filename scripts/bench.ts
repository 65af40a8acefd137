/**
 * npm run bench: what the node does beside what is usual for it, one table, one run; `bench-results/<date>.json` holds the
 * same with all samples. `--quick` takes about a minute and judges nothing; both fail when a row cannot be produced.
 *
 *   node scripts/bench.ts [--quick] [--json] [--only warm,install,transfer,idle]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { benchBetween } from './bench-between.ts';
import { benchIdle } from './bench-idle.ts';
import { benchInstall } from './bench-install.ts';
import { benchWarm } from './bench-warm.ts';
import { createWorkspace, describeMachine, findProgram } from './bench-machine.ts';
import { failedRow, type Row, tableHead, tableLine } from './bench-row.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const { quick, json } = values;
const parts = { idle: benchIdle, warm: benchWarm, transfer: benchBetween, install: benchInstall };
const only = values.only?.split(',') ?? Object.keys(parts);
const say = (text: string): void => void (json ? process.stderr : process.stdout).write(`${text}\n`);

const startedAt = new Date().toISOString();
const began = performance.now();
const machine = describeMachine();
const missing = ['nginx', 'wrk', 'taskset'].filter((name) => findProgram(name) === undefined);
const rows: Row[] = [];
const onRow = (row: Row): void => {
  rows.push(row);
  say(tableLine(row));
};
say(`${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, load ${machine.load.join(' ')}`);
if (missing.length > 0) say(`missing here: ${missing.join(', ')}`);
say(tableHead());
for (const [name, part] of Object.entries(parts)) {
  if (!only.includes(name)) continue;
  await using workspace = await createWorkspace();
  try {
    await part({ quick, folder: workspace.folder, onRow });
  } catch (error) {
    onRow(failedRow(name, error));
  }
}
const seconds = Math.round((performance.now() - began) / 1000);
const result = JSON.stringify({ startedAt, seconds, quick, machine, missing, rows }, undefined, 2);
const folder = new URL('../bench-results/', import.meta.url);
await mkdir(folder, { recursive: true });
const file = new URL(`${startedAt.replaceAll(':', '-')}.json`, folder);
await writeFile(file, `${result}\n`);
say(`${seconds} s; medians of alternating rounds; all samples in ${file.pathname}`);
if (json) process.stdout.write(`${result}\n`);
if (rows.some(({ verdict }) => verdict === 'failed')) process.exitCode = 1;
