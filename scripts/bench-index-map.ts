/**
 * The rows of the index map. Each is measured in a process of its own (`node scripts/bench-index-map.ts WHAT FOLDER NAMES`), so
 * that memory is that of the work alone; it says its samples as one JSON object. Digests, serials and lengths are made from
 * the names.
 */
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createGunzip } from 'node:zlib';
import type { Digest } from '../src/core/digest.ts';
import { createFactEmitter } from '../src/core/facts.ts';
import type { IndexEntry } from '../src/core/index-map/index-entry.ts';
import { encodeProof, verifyProof } from '../src/core/index-map/map-proof.ts';
import { parseProjectName } from '../src/core/project-name.ts';
import { openDiskIndexMaps } from '../src/store/index-map/disk-index-maps.ts';
import type { IndexMaps } from '../src/store/index-map/index-maps.ts';
import { fixturePath } from '../test/support/fixtures.ts';
import { type Measured, type Row, rowOf } from './bench-row.ts';

export const ALL = 886_324;
const MB = 1_000_000;
const VOTERS = 3;
/** As `bin/fondue.js` starts the node. */
const FLAGS = ['--max-semi-space-size=1'];

export async function benchIndexMap(options: {
  quick: boolean;
  folder: string;
  onRow: (row: Row) => void;
}): Promise<void> {
  const count = options.quick ? 20_000 : ALL;
  const goal = (value: number): Pick<Measured, 'goal'> =>
    options.quick ? {} : { goal: { of: 'ours', is: 'at most', value } };
  const row = (what: string, unit: string, ours: readonly number[], most?: number): void =>
    options.onRow(rowOf({ what, unit, ours, ...(most === undefined ? {} : goal(most)) }));
  const run = (what: string): Promise<Samples> =>
    measureApart(import.meta.filename, what, options.folder, count);

  const built = await run('build');
  row('map: build, all names', 's', built['seconds'] ?? [], 60);
  row('map: build, peak resident', 'MB', built['peakMB'] ?? [], 250);
  row('map: on disk', 'MB', built['diskMB'] ?? []);
  const opened = await run('open');
  row('map: open', 'ms', opened['ms'] ?? []);
  row('map: resident more, one map', 'MB', opened['oneMB'] ?? [], 100);
  row(`map: resident more, ${VOTERS} voters`, 'MB', opened['votersMB'] ?? [], 100);
  const used = await run('use');
  row('map: delta of 20, worked out and checked', 'ms', used['stage'] ?? [], 5);
  row('map: the same and committed (tmpfs)', 'ms', used['apply'] ?? [], 5);
  row('map: look-up', 'ms', used['get'] ?? [], 1);
  row('map: look-up, proof and its check', 'ms', used['prove'] ?? [], 1);
  row('map: proof, mean', 'bytes', used['proofBytes'] ?? [], 2048);
  row('map: all entries read', 's', used['all'] ?? []);
  const compacted = await run('compact');
  row('map: new base after 25 % changed', 's', compacted['seconds'] ?? []);
  row('map: new base, peak resident', 'MB', compacted['peakMB'] ?? []);
}

export type Samples = Readonly<Record<string, readonly number[]>>;

export async function measureApart(
  script: string,
  what: string,
  folder: string,
  count: number,
): Promise<Samples> {
  const child = spawn(process.execPath, [...FLAGS, script, what, folder, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const text of child.stdout) said += String(text);
  const samples = JSON.parse(said === '' ? '{}' : said) as Samples;
  if (Object.keys(samples).length === 0) throw new Error(`the process that measures "${what}" failed`);
  return samples;
}

/** @param round another one makes other pages. */
export async function* indexEntries(count: number, round = 0): AsyncGenerator<IndexEntry> {
  const file = createReadStream(fixturePath('project-names.txt.gz')).pipe(createGunzip());
  let left = count;
  let rest = '';
  for await (const piece of file) {
    const lines = (rest + String(piece)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (left-- === 0) return;
      yield entryOf(line, round);
    }
  }
}

function entryOf(line: string, round: number): IndexEntry {
  const name = parseProjectName(line);
  const digest = hash('sha256', `${round} page of ${name}`, 'hex') as Digest;
  const seed = parseInt(digest.slice(0, 8), 16);
  return { name, digest, serial: 1 + (seed % 39_000_000) + round, length: 300 + (seed % 60_000) };
}

async function someNames(count: number, wanted: number): Promise<string[]> {
  const step = Math.max(1, Math.floor(count / wanted));
  const names: string[] = [];
  let at = 0;
  for await (const { name } of indexEntries(count)) if (at++ % step === 0) names.push(name);
  return names;
}

export const openMaps = (folder: string): Promise<IndexMaps> =>
  openDiskIndexMaps({ path: join(folder, 'index-map'), facts: createFactEmitter() });

/** Of this process. */
export function memory(key: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`${key}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'));
  return (Number(line?.[1] ?? NaN) * 1024) / MB;
}

export function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const measures: Readonly<Record<string, (folder: string, count: number) => Promise<Samples>>> = {
  async build(folder, count) {
    await using maps = await openMaps(folder);
    const ms = await timed(() => maps.build('voter 0', indexEntries(count)));
    let bytes = 0;
    for (const number of Array(256).keys()) bytes += (await maps.view('voter 0').bin(number * 256)).length;
    const diskMB = (bytes / 256 + 46) * 65_536;
    return { seconds: [ms / 1000], peakMB: [memory('VmHWM')], diskMB: [diskMB / MB] };
  },
  async open(folder) {
    collect();
    const before = memory('VmRSS');
    let opened: IndexMaps | undefined;
    const ms = await timed(async () => void (opened = await openMaps(folder)));
    await using maps = opened as IndexMaps;
    collect();
    const oneMB = memory('VmRSS') - before;
    const leaves = maps.view('voter 0').leaves();
    for (let voter = 1; voter < VOTERS; voter++)
      await (await maps.view(`voter ${voter}`).stageLeaves(leaves)).commit();
    collect();
    const votersMB = memory('VmRSS') - before;
    for (let voter = 1; voter < VOTERS; voter++) await maps.drop(`voter ${voter}`);
    return { ms: [ms], oneMB: [oneMB], votersMB: [votersMB] };
  },
  async use(folder, count) {
    await using maps = await openMaps(folder);
    const map = maps.view('voter 0');
    const names = await someNames(count, 8000);
    const [stage, apply, get, prove]: [number[], number[], number[], number[]] = [[], [], [], []];
    let proofBytes = 0;
    for (let round = 0; round < 50; round++) {
      const set = names.slice(round * 20, round * 20 + 20).map((name) => entryOf(name, 1));
      const delta = { set: set.sort((a, b) => (a.name < b.name ? -1 : 1)), del: [], turned: [] };
      const started = performance.now();
      const change = await map.stage(delta);
      stage.push(performance.now() - started);
      await change.commit();
      apply.push(performance.now() - started);
    }
    const asked = names.slice(1000, 4000).map((name) => parseProjectName(name));
    for (const name of asked) {
      get.push(await timed(async () => void (await map.get(name))));
    }
    for (const name of names.slice(4000, 7000).map((text) => parseProjectName(text))) {
      prove.push(
        await timed(async () => {
          const proof = await map.prove(name);
          verifyProof(map.root(), name, proof);
          proofBytes += encodeProof(proof).length;
        }),
      );
    }
    let seen = 0;
    const all = await timed(async () => {
      for await (const bin of map.entries()) seen += bin.length;
    });
    if (seen !== map.count) throw new Error(`${seen} entries read of ${map.count}`);
    return { stage, apply, get, prove, proofBytes: [proofBytes / prove.length], all: [all / 1000] };
  },
  async compact(folder, count) {
    await using maps = await openMaps(folder);
    const map = maps.view('voter 0');
    const base = map.root();
    // One name of every third bin or so: over 25 % of the bins.
    for (const part of chunks((await someNames(count, 24_000)).slice(0, 24_000), 8000)) {
      const change = await map.change({ set: part.map((name) => entryOf(name, 2)), del: [] });
      await change.commit();
    }
    // The new base is written behind our back; the next change waits for it.
    const ms = await timed(() => maps.drop('nobody'));
    if (map.root() === base) throw new Error('nothing changed');
    return { seconds: [ms / 1000], peakMB: [memory('VmHWM')] };
  },
};

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) =>
    list.slice(at * size, (at + 1) * size),
  );
}

if (process.argv[1] === import.meta.filename) {
  const [what = '', folder = '', count = ''] = process.argv.slice(2);
  const measure = measures[what];
  if (measure === undefined) throw new Error(`one of ${Object.keys(measures).join(', ')} is expected`);
  process.stdout.write(JSON.stringify(await measure(folder, Number(count))));
}
