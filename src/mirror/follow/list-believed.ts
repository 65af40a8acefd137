/**
 * All names that are believed present, in the order of bins. Where the voters' bins are the same bytes and nothing is kept or stale
 * there, they are believed without asking name by name: so it is for nearly all of the 65,536 bins.
 */
import { setImmediate } from 'node:timers/promises';
import { decodeKnownBin } from '../../core/index-map/index-bin.ts';
import { binNumber, BINS, compareNames, type IndexEntry } from '../../core/index-map/index-entry.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexMap } from '../../store/index-map/index-maps.ts';
import type { BeliefBook } from './belief-book.ts';
import { differingBins } from './differing-names.ts';

export interface ListedVoter {
  readonly slot: string;
  readonly map: Pick<IndexMap, 'leaves' | 'bin' | 'entries'>;
}

export interface ListedName {
  readonly name: ProjectName;
  readonly serial: number;
}

/** Sorted into bins before others have their turn: a few milliseconds. */
const NAMES_AT_ONCE = 1024;
/** Names that are asked for at once. */
const ASKED_AT_ONCE = 1000;

export async function* listBelieved(
  book: BeliefBook,
  k: number,
  voters: readonly ListedVoter[],
): AsyncGenerator<ListedName> {
  const { special, unsure, entries, first } = await book.alone(async () => {
    const special = await namesByBin(book, voters);
    const entries = voters[0]?.map.entries()[Symbol.asyncIterator]();
    // From here on it is of one state, the one whose bins are compared.
    const first = entries?.next();
    return { special, unsure: unsureBins(book, k, voters, special), entries, first: await first };
  });
  let asked: ProjectName[] = [];
  let at = 0;
  try {
    for (let next = first; ; next = await entries?.next()) {
      const bin = next === undefined || next.done === true ? BINS : binOf(next.value);
      for (; at < bin; at++) if (unsure[at] === 1) asked.push(...(await namesIn(at, voters, special)));
      if (asked.length >= ASKED_AT_ONCE || bin === BINS) {
        yield* believedOnes(book, asked);
        asked = [];
      }
      if (next === undefined || next.done === true) return;
      if (unsure[bin] === 1) continue;
      // What is asked for stands before.
      yield* believedOnes(book, asked);
      asked = [];
      for (const { name, serial } of next.value) yield { name, serial };
      at = bin + 1;
    }
  } finally {
    await entries?.return?.();
  }
}

async function* believedOnes(book: BeliefBook, names: readonly ProjectName[]): AsyncGenerator<ListedName> {
  if (names.length === 0) return;
  for (const [i, belief] of (await book.believedAll(names)).entries())
    if (belief !== undefined && belief.choice !== 'absent')
      yield { name: names[i] as ProjectName, serial: belief.choice.serial };
}

function unsureBins(
  book: BeliefBook,
  k: number,
  voters: readonly ListedVoter[],
  special: ReadonlyMap<number, unknown>,
): Uint8Array {
  const unsure = new Uint8Array(BINS);
  const counting = voters.filter(({ slot }) => !book.excluded().includes(slot));
  const plain = counting.length >= k && counting.every(({ slot }) => book.view(slot)?.scope.id === 'all');
  // With a scope, a name's voters have to be counted one by one.
  if (!plain) return unsure.fill(1);
  for (const bin of differingBins(voters.map(({ map }) => map.leaves()))) unsure[bin] = 1;
  for (const bin of special.keys()) unsure[bin] = 1;
  return unsure;
}

async function namesIn(
  bin: number,
  voters: readonly ListedVoter[],
  special: ReadonlyMap<number, readonly ProjectName[]>,
): Promise<ProjectName[]> {
  const names = new Set(special.get(bin));
  for (const { map } of voters)
    for (const { name } of decodeKnownBin(await map.bin(bin)).entries) names.add(name);
  return [...names].sort(compareNames);
}

async function namesByBin(
  book: BeliefBook,
  voters: readonly ListedVoter[],
): Promise<Map<number, ProjectName[]>> {
  const bins = new Map<number, ProjectName[]>();
  let added = 0;
  for (const source of [book.keptNames(), ...voters.map(({ slot }) => book.view(slot)?.stale ?? [])])
    for (const name of source as Iterable<ProjectName>) {
      const bin = binNumber(name);
      const names = bins.get(bin);
      if (names === undefined) bins.set(bin, [name]);
      else names.push(name);
      if (++added % NAMES_AT_ONCE === 0) await setImmediate();
    }
  return bins;
}

function binOf(entries: readonly IndexEntry[]): number {
  const [first] = entries;
  return first === undefined ? 0 : binNumber(first.name);
}
