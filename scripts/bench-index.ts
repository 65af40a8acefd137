/**
 * npm run bench:index: the signed index at the size of PyPI, 886,324 real names, one table; `bench-results/` holds it with
 * all samples. `--quick` takes 20,000 of the names, 50,000 for the node that joins, and judges nothing.
 *
 *   node scripts/bench-index.ts [--quick] [--json]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { fixturesMissing } from '../test/support/fixtures.ts';
import { benchIndexBelief } from './bench-index-belief.ts';
import { benchIndexJoin } from './bench-index-join.ts';
import { benchIndexMap } from './bench-index-map.ts';
import { benchIndexRelayed } from './bench-index-relayed.ts';
import { benchIndexPublish } from './bench-index-publish.ts';
import { createWorkspace, describeMachine } from './bench-machine.ts';
import { failedRow, type Row, tableHead, tableLine } from './bench-row.ts';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const { quick, json } = values;
const parts = {
  map: benchIndexMap,
  belief: benchIndexBelief,
  publish: benchIndexPublish,
  join: benchIndexJoin,
  relayed: benchIndexRelayed,
};
const say = (text: string): void => void (json ? process.stderr : process.stdout).write(`${text}\n`);

const missing = fixturesMissing();
if (missing !== false) {
  process.stderr.write(`${missing}: the real names are needed\n`);
  process.exit(1);
}
const startedAt = new Date().toISOString();
const machine = describeMachine();
const rows: Row[] = [];
const onRow = (row: Row): void => {
  rows.push(row);
  say(tableLine(row));
};
say(`${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, load ${machine.load.join(' ')}`);
say(tableHead());
for (const [name, part] of Object.entries(parts)) {
  await using workspace = await createWorkspace();
  try {
    await part({ quick, folder: workspace.folder, onRow });
  } catch (error) {
    onRow(failedRow(name, error));
  }
}
const result = JSON.stringify({ startedAt, quick, machine, rows }, undefined, 2);
const folder = new URL('../bench-results/', import.meta.url);
await mkdir(folder, { recursive: true });
const file = new URL(`index-${startedAt.replaceAll(':', '-')}.json`, folder);
await writeFile(file, `${result}\n`);
say(`all samples in ${file.pathname}`);
if (json) process.stdout.write(`${result}\n`);
if (rows.some(({ verdict }) => verdict === 'failed')) process.exitCode = 1;
