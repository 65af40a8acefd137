import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';
import { parseCsv, renderCsv } from '../../../src/simulator/results/csv.ts';
import { renderParquet } from '../../../src/simulator/results/parquet.ts';
import { plotRunFolder, readRunFolder } from '../../../src/simulator/results/read-run-folder.ts';
import { readEnvironment } from '../../../src/simulator/results/environment.ts';
import type { RunResult } from '../../../src/simulator/results/run-result.ts';
import { readTidyRows, tidyFields, tidyHeader, tidyRows } from '../../../src/simulator/results/tidy-rows.ts';
import { writeRunFolder } from '../../../src/simulator/results/write-run-folder.ts';
import { makeUpRun } from '../../support/simulator/made-up-run.ts';

const root = await mkdtemp(join(tmpdir(), 'fondue-results-'));
after(() => rm(root, { recursive: true }));
const environment = { version: '0.0.0', commit: 'c', modified: false, node: '24', lockFile: 'l' };

async function write(name: string, result: RunResult, events: unknown[] = []): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
  await writeRunFolder(folder, result, { environment, events: [Buffer.from(lines)] });
  return folder;
}

async function contentOf(folder: string): Promise<Map<string, string>> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = files.filter((file) => file.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const contents = paths
    .sort()
    .map(async (path) => [path.slice(folder.length), await readFile(path, 'base64')] as const);
  return new Map(await Promise.all(contents));
}

test('equal runs give equal bytes in every file, wherever the folder is', async () => {
  const [one, other] = [
    await write('a', makeUpRun(), [{ at: 1 }]),
    await write('other-name', makeUpRun(), [{ at: 1 }]),
  ];
  const contents = await contentOf(one);
  assert.deepEqual(await contentOf(other), contents);
  assert.notDeepEqual(await contentOf(await write('b', makeUpRun({ run: 1 }))), contents);
  for (const name of [
    'scenario.yaml',
    'env.json',
    'trace.sha256',
    'metrics.csv',
    'metrics.parquet',
    'summary.json',
    'report.html',
    'notebook.ipynb',
  ])
    assert.ok(contents.has(`/${name}`), name);
  for (const [name, text] of contents)
    assert.ok(!Buffer.from(text, 'base64').includes(root), `${name} holds the folder's path`);
});

test('a run reads back from its folder to the last digit', async () => {
  const result = makeUpRun({ settings: [{ pointer: '/replication', value: '5' }], point: 2 });
  const folder = await write('back', result);
  assert.deepEqual(await readRunFolder(folder), result);
});

test('plot makes plots, report and notebook again from the data alone, to the byte', async () => {
  const folder = await write('again', makeUpRun());
  const before = await contentOf(folder);
  for (const name of ['plots', 'report.html', 'notebook.ipynb'])
    await rm(join(folder, name), { recursive: true });
  await plotRunFolder(folder);
  assert.deepEqual(await contentOf(folder), before);
});

test('events are lines of JSON, compressed', async () => {
  const events = [{ at: 1, what: 'ä\n' }, { at: 2 }];
  const folder = await write('events', makeUpRun(), events);
  const text = zstdDecompressSync(await readFile(join(folder, 'events.jsonl.zst'))).toString();
  assert.deepEqual(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    events,
  );
});

test('Parquet holds the same rows as the CSV', async () => {
  const result = makeUpRun();
  const rows = tidyRows(result);
  const bytes = renderParquet(rows);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const read = await parquetReadObjects({ file });
  const text = (value: unknown): string =>
    value === null || value === undefined ? '' : value === Infinity ? 'inf' : `${value as number}`;
  assert.ok(rows.length > 1000);
  assert.deepEqual(
    read.map((row) => tidyHeader.map((column) => text(row[column]))),
    rows.map(tidyFields),
  );
});

test('a table without rows is Parquet too', async () => {
  const bytes = renderParquet([]);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  assert.deepEqual(await parquetReadObjects({ file }), []);
});

/** Records as literals make them: deepEqual looks at prototypes. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });

const value = fc.oneof(
  fc.integer({ min: -9, max: 1e9 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((one) => one + 0),
);
const of = fc.oneof(
  fc.constant({}),
  plain({ node: fc.nat(99) }),
  plain({ group: fc.string({ minLength: 1 }) }),
);
const observation = fc.oneof(
  value.map((one) => ({ kind: 'observed', value: one }) as const),
  fc.constant({ kind: 'failed' } as const),
  value.map((bound) => ({ kind: 'censored', bound }) as const),
);

test('any table reads back from its CSV', () => {
  const series = fc.uniqueArray(
    fc.tuple(
      of,
      fc.array(plain({ at: fc.nat(1e9), value: fc.option(value, { nil: undefined }) }), { minLength: 1 }),
    ),
    { selector: ([who]) => JSON.stringify(who), maxLength: 4 },
  );
  fc.assert(
    fc.property(series, fc.array(fc.tuple(of, observation)), fc.array(fc.tuple(of, value)), (a, b, c) => {
      const table = {
        series: a.map(([who, points]) => ({ metric: 's,"', unit: 'B/s', ...who, points })),
        times: [
          { metric: 't(x)', unit: 's', window: 30, values: b.map(([who, one]) => ({ ...one, ...who })) },
        ],
        counters: c.map(([who, one]) => ({ metric: 'c', unit: '1', ...who, value: one })),
      };
      const text = renderCsv([
        tidyHeader,
        ...tidyRows({ ...makeUpRun({ nodes: 1 }), ...table }).map(tidyFields),
      ]);
      const kinds = { series: ['s,"'], times: [{ metric: 't(x)', unit: 's', window: 30 }] };
      assert.deepEqual(readTidyRows(parseCsv(text, 'm.csv'), kinds, 'm.csv'), table);
    }),
    { numRuns: 60 },
  );
});

test('a metric that is two things is refused before anything is written', async () => {
  const result = makeUpRun();
  const twice = { ...result, counters: [{ metric: 'heads', unit: '1', value: 1 }] };
  const folder = join(root, 'twice');
  await mkdir(folder);
  await assert.rejects(writeRunFolder(folder, twice, { environment, events: [] }), /metric heads is twice/);
  assert.deepEqual(await readdir(folder), []);
});

test('a value that is no number is refused, not written', async () => {
  const folder = join(root, 'nan');
  await mkdir(folder);
  const result = { ...makeUpRun(), counters: [{ metric: 'c', unit: '1', value: Number.NaN }] };
  await assert.rejects(writeRunFolder(folder, result, { environment, events: [] }), /c was measured as NaN/);
  assert.ok(!(await readdir(folder)).includes('summary.json'));
});

test('the environment is the commit and lock file of this checkout, and of nothing outside it', async () => {
  const here = await readEnvironment(new URL('../../..', import.meta.url).pathname);
  assert.equal(here.node, process.versions.node);
  assert.match(here.version, /^\d+\.\d+\.\d+/);
  assert.match(here.lockFile ?? '', /^[0-9a-f]{64}$/);
  if (here.commit !== undefined) assert.match(here.commit, /^[0-9a-f]{40}$/);
  const checkout = join(root, 'of-somebody');
  const installed = join(checkout, 'node_modules', 'fondue-mirror');
  await mkdir(installed, { recursive: true });
  execFileSync('git', ['init', '--quiet', checkout]);
  const author = ['-c', 'user.name=x', '-c', 'user.email=x@example.org'];
  execFileSync('git', ['-C', checkout, ...author, 'commit', '--quiet', '--allow-empty', '-m', 'x']);
  await writeFile(join(installed, 'package.json'), '{"version": "1.2.3"}');
  assert.deepEqual(await readEnvironment(installed), {
    version: '1.2.3',
    commit: undefined,
    modified: undefined,
    node: process.versions.node,
    lockFile: undefined,
  });
});

test('a folder of something else is refused with its name and what to do', async () => {
  const folder = join(root, 'empty');
  await mkdir(folder);
  const expected = { code: 'CONFIGURATION', message: /empty is no folder of a run/, fix: /fondue sim run/ };
  await assert.rejects(readRunFolder(folder), expected);
  await writeFile(join(folder, 'summary.json'), '{"format": 99}');
  await assert.rejects(readRunFolder(folder), /its format is 99/);
  await writeFile(join(folder, 'summary.json'), 'null');
  await assert.rejects(readRunFolder(folder), /is no summary of a run/);
});

test('a table that was cut short or altered is refused with its row', async () => {
  const folder = await write('altered', makeUpRun());
  const file = join(folder, 'metrics.csv');
  const text = await readFile(file, 'utf8');
  for (const [altered, message] of [
    [text.replace('run,point', 'run;point'), /row 1 of .* is not the header/],
    [text.replace(/\r\n0,0,0,/, '\r\n0,0,zero,'), /row 2 of .* no number/],
    [text.slice(0, -12), /fields/],
  ] as const) {
    await writeFile(file, altered);
    await assert.rejects(readRunFolder(folder), message);
  }
});

test('the notebook is nbformat 4.5: cells with ids and sources, code without outputs', async () => {
  const folder = await write('notebook', makeUpRun());
  const notebook = JSON.parse(await readFile(join(folder, 'notebook.ipynb'), 'utf8')) as {
    nbformat: number;
    nbformat_minor: number;
    cells: { id: string; cell_type: string; source: string[]; outputs?: unknown[]; execution_count?: null }[];
  };
  assert.deepEqual([notebook.nbformat, notebook.nbformat_minor], [4, 5]);
  assert.equal(new Set(notebook.cells.map(({ id }) => id)).size, notebook.cells.length);
  for (const cell of notebook.cells) {
    assert.match(cell.id, /^[a-zA-Z0-9_-]{1,64}$/);
    assert.ok(cell.source.length > 0);
    if (cell.cell_type === 'code') assert.deepEqual([cell.outputs, cell.execution_count], [[], null]);
  }
});
