/**
 * The rows of a publisher's largest records: all names at once, and a delta as large as one may be. The longest time that
 * nothing else could run (of CPU time): a publisher is a full node too. Measured in a process of its own
 * (`node scripts/bench-index-publish.ts WHAT FOLDER NAMES`).
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createFactEmitter } from '../src/core/facts.ts';
import type { IndexEntry } from '../src/core/index-map/index-entry.ts';
import { generateKeyPair, parseSignerKey } from '../src/core/log/signer-key.ts';
import type { ProjectName } from '../src/core/project-name.ts';
import { createPublisherState } from '../src/mirror/publish/publisher-state.ts';
import { createRecordSigner } from '../src/mirror/publish/sign-record.ts';
import { openLevel } from '../src/store/open-level.ts';
import { openDiskPublisherLog } from '../src/store/publisher-log/open-publisher-log.ts';
import { systemClock as clock, systemRandomness } from '../src/system-clock.ts';
import { watchBlocks } from './bench-blocks.ts';
import { ALL, indexEntries, measureApart, memory, openMaps, type Samples } from './bench-index-map.ts';
import { type Row, rowOf } from './bench-row.ts';

/** A delta of these is little less than 1 MiB. */
const ONE_DELTA = 11_000;

export async function benchIndexPublish(options: {
  quick: boolean;
  folder: string;
  onRow: (row: Row) => void;
}): Promise<void> {
  const { quick, folder, onRow } = options;
  const row = (what: string, unit: string, ours: readonly number[] = [], most?: number): void =>
    onRow(
      rowOf({
        what: `publisher: ${what}`,
        unit,
        ours,
        ...(quick || most === undefined ? {} : { goal: { of: 'ours', is: 'at most', value: most } }),
      }),
    );
  const count = quick ? 50_000 : ALL;
  const all = await measureApart(import.meta.filename, 'all', folder, count);
  row('a record of all names', 's', all['seconds']);
  row('a record of all names, longest block', 'ms', all['blockMs'], 150);
  const one = await measureApart(import.meta.filename, 'delta', folder, ONE_DELTA);
  row('a record with a delta of 1 MB, longest block', 'ms', one['blockMs'], 150);
}

/** Signs a record in which so many names are new. */
async function signAll(folder: string, count: number, round: number): Promise<Samples> {
  const facts = createFactEmitter();
  const signers = [parseSignerKey(generateKeyPair('bench.example', systemRandomness).signerKey)] as const;
  await using log = await openDiskPublisherLog({ folder: join(folder, `log ${round}`), signers });
  await using maps = await openMaps(folder);
  await using db = await openLevel(join(folder, `state ${round}`), { clock, facts });
  const changed = new Map<ProjectName, IndexEntry>();
  for await (const entry of indexEntries(count, round)) changed.set(entry.name, entry);
  const map = maps.view('published');
  const settled = (held: Iterable<readonly [ProjectName, unknown]>): ProjectName[] =>
    Array.from(held, ([name]) => name);
  const known = { changed, settled };
  const blobs = { keep: async () => undefined, retire: async () => undefined };
  const state = createPublisherState(db);
  const signer = await createRecordSigner({ log, map, state, known, blobs, clock });
  await setTimeout(1000);
  const watched = watchBlocks();
  const started = performance.now();
  await signer.sign({
    upstream: 'http://127.0.0.1:9/simple/',
    fileOrigin: 'https://files.example',
    format: 'json',
    scope: 'all',
    complete: true,
    serial: 39_000_001,
    apiVersion: '1.4',
    retractions: [],
    observedAt: clock.now(),
    stale: new Set(),
  });
  const { longest } = watched.end();
  return {
    seconds: [(performance.now() - started) / 1000],
    blockMs: [longest],
    peakMB: [memory('VmHWM')],
  };
}

if (process.argv[1] === import.meta.filename) {
  const [what = '', folder = '', count = ''] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(await signAll(folder, Number(count), what === 'all' ? 0 : 1)));
}
