/**
 * The rows of a record that touches every name: three voters whose maps are the same, two must agree, and then one of
 * them signs another page for each of the names; once after the others have read as late as it (followers wait for that),
 * and once while all that is believed rests on it, so that each name has to be kept until the others have read again. Measured in a
 * process of its own (`node scripts/bench-index-belief.ts WHAT FOLDER NAMES`): how long it takes, how long nothing else
 * could run (of its CPU time), the longest wait of who asks for a page meanwhile, the memory, and what is left of it after
 * so many records of the others.
 */
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { digestFromBytes } from '../src/core/digest.ts';
import { createFactEmitter } from '../src/core/facts.ts';
import { encodeRecord, type IndexRecord } from '../src/core/log/record.ts';
import { BeliefBook } from '../src/mirror/follow/belief-book.ts';
import { createLevelFollowStates } from '../src/mirror/follow/follow-state.ts';
import { FollowedMap, type MapHead } from '../src/mirror/follow/followed-map.ts';
import type { IndexMaps } from '../src/store/index-map/index-maps.ts';
import { openLevel } from '../src/store/open-level.ts';
import { systemClock as clock } from '../src/system-clock.ts';
import { type Blocks, watchBlocks } from './bench-blocks.ts';
import {
  ALL,
  collect,
  indexEntries,
  measureApart,
  memory,
  openMaps,
  type Samples,
} from './bench-index-map.ts';
import { type Measured, type Row, rowOf } from './bench-row.ts';

const MB = 1_000_000;
const VOTERS = ['a.example', 'b.example', 'c.example'];
/** An hour of two publishers. */
const MOST_RECORDS = 120;
const EVERYTHING = { id: 'all', covers: () => true };

export async function benchIndexBelief(options: {
  quick: boolean;
  folder: string;
  onRow: (row: Row) => void;
}): Promise<void> {
  const { quick, folder, onRow } = options;
  const count = quick ? 20_000 : ALL;
  const goal = (value: number | undefined): Pick<Measured, 'goal'> =>
    quick || value === undefined ? {} : { goal: { of: 'ours', is: 'at most', value } };
  const kinds = [
    { what: 'change', who: 'every name' },
    { what: 'kept', who: 'every name, believed by it' },
  ];
  for (const { what, who } of kinds) {
    const row = (figure: string, unit: string, ours: readonly number[] = [], most?: number): void =>
      onRow(rowOf({ what: `record of ${who}: ${figure}`, unit, ours, ...goal(most) }));
    const place = join(folder, what);
    await mkdir(place);
    await measureApart(import.meta.filename, 'prepare', place, count);
    const measured = await measureApart(import.meta.filename, what, place, count);
    row('accepted', 's', measured['seconds']);
    row('longest block, CPU', 'ms', measured['longest'], 150);
    row('block, 99.9 %', 'ms', measured['rare'], 50);
    row('longest wait for a page', 'ms', measured['waitMs']);
    row('kept in memory at its end', 'MB', measured['liveMB'], 150);
    row('peak resident more', 'MB', measured['peakMB'], 150);
    row('kept in memory when calm', 'MB', measured['calmLiveMB'], 100);
    row('resident more when calm', 'MB', measured['calmMB'], 100);
    row('calm after records of the others', '', measured['calmAfter']);
  }
}

interface Follower {
  readonly book: BeliefBook;
  /** The voter says that its map is this one, when that is called. */
  toSay(voter: number, at: number, map: string): () => Promise<void>;
}

async function withFollower<T>(
  folder: string,
  work: (follower: Follower, maps: IndexMaps) => Promise<T>,
): Promise<T> {
  await using maps = await openMaps(folder);
  await using db = await openLevel(join(folder, 'state'), { clock, facts: createFactEmitter() });
  const state = createLevelFollowStates(db).scope('bench');
  const voters: FollowedMap[] = [];
  for (const origin of VOTERS)
    voters.push(await FollowedMap.open({ slot: origin, origin, view: `voter ${origin}`, maps, state }));
  const views = new Map(
    voters.flatMap(({ slot, head }) =>
      head === undefined ? [] : [[slot, factsOf(head.observedAt)] as const],
    ),
  );
  const options = { k: 2, voters: voters.map(({ slot, map }) => ({ slot, map })), ownSlot: 'own' };
  const book = await BeliefBook.open(state, options, views, async () => EVERYTHING);
  function toSay(voter: number, at: number, name: string): () => Promise<void> {
    const followed = voters[voter] as FollowedMap;
    const map = maps.view(name);
    const leaves = map.leaves();
    const head = headOf((followed.head?.record.seq ?? -1) + 1, at, {
      count: map.count,
      mapRoot: map.root(),
      leaves: digestFromBytes(hash('sha256', leaves, 'buffer')),
    });
    return async () => {
      await followed.swap(book, head, factsOf(at), { kind: 'leaves', leaves }, async () => undefined);
    };
  }
  return await work({ book, toSay }, maps);
}

function factsOf(observedAt: number) {
  return { observedAt, complete: true, scope: EVERYTHING, stale: new Set<string>() };
}

function headOf(seq: number, at: number, map: Pick<IndexRecord, 'count' | 'mapRoot' | 'leaves'>): MapHead {
  const record: IndexRecord = {
    v: 1,
    upstream: 'http://127.0.0.1:9/simple/',
    fileOrigin: 'https://files.example',
    format: 'json',
    scope: 'all',
    complete: true,
    seq,
    signedAt: at,
    observedAt: at,
    serial: 39_000_001,
    apiVersion: '1.4',
    bins: 65_536,
    delta: null,
    stale: null,
    retractions: [],
    previous: seq === 0 ? null : map.leaves,
    ...map,
  };
  return { record, bytes: encodeRecord(record), observedAt: at };
}

function change(folder: string, count: number, voter: number): Promise<Samples> {
  return withFollower(folder, async ({ toSay, book }) => {
    const { value: one } = await indexEntries(count).next();
    const name = (one as { name: string }).name;
    const say = toSay(voter, 2_000_000, 'after');
    await setTimeout(2000);
    const before = memory('VmRSS');
    const liveBefore = live();
    writeFileSync('/proc/self/clear_refs', '5');
    const watched = watchBlocks();
    let ended = false;
    let wait = 0;
    const asking = (async () => {
      while (!ended) {
        const asked = performance.now();
        await book.believed(name);
        wait = Math.max(wait, performance.now() - asked);
        await setTimeout(50);
      }
    })();
    const started = performance.now();
    await say();
    const seconds = (performance.now() - started) / 1000;
    const { longest, rare }: Blocks = watched.end();
    ended = true;
    await asking;
    const peakMB = memory('VmHWM') - before;
    const liveMB = live() - liveBefore;
    let calmAfter = 0;
    let at = 3_000_000;
    while (book.size.resting > 0 && calmAfter < MOST_RECORDS)
      await toSay([0, 1, 2].filter((other) => other !== voter)[calmAfter++ % 2]!, (at += 1000), 'before')();
    // What was freed is given back in time.
    await setTimeout(5000);
    const calmMB = memory('VmRSS') - before;
    const calmLiveMB = live() - liveBefore;
    const took = { seconds, longest, rare, waitMs: wait };
    const held = { peakMB, liveMB, calmMB, calmLiveMB, calmAfter };
    const measured = { ...took, ...held };
    return Object.fromEntries(Object.entries(measured).map(([figure, value]) => [figure, [value]]));
  });
}

/** After garbage is collected: what is resident besides is garbage, and pages that were freed and not given back. */
function live(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / MB;
}

const measures: Readonly<Record<string, (folder: string, count: number) => Promise<Samples>>> = {
  prepare: (folder, count) =>
    withFollower(folder, async ({ toSay }, maps) => {
      await maps.build('before', indexEntries(count));
      await maps.build('after', indexEntries(count, 1));
      let at = 1_000_000;
      for (let round = 0; round < 2; round++)
        for (const voter of [0, 1, 2]) await toSay(voter, (at += 1000), 'before')();
      return { prepared: [1] };
    }),
  // The others have read later than the first.
  change: (folder, count) => change(folder, count, 0),
  kept: (folder, count) => change(folder, count, 2),
};

if (process.argv[1] === import.meta.filename) {
  const [what = '', folder = '', count = ''] = process.argv.slice(2);
  const measure = measures[what];
  if (measure === undefined) throw new Error(`one of ${Object.keys(measures).join(', ')} is expected`);
  process.stdout.write(JSON.stringify(await measure(folder, Number(count))));
}
