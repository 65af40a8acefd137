/**
 * How a publisher makes and changes a bin so that it stays within its limit, whatever names are ground into it: the entries
 * with the lowest serials stay (old projects before an attacker's new ones; equal serials by name) and the bin says
 * that it is partial. Once partial it stays so until it is made anew from all names: what was left out is not known here.
 */
import { limits } from '../limits.ts';
import type { ProjectName } from '../project-name.ts';
import { encodeBin, type IndexBin } from './index-bin.ts';
import { compareNames, type IndexEntry } from './index-entry.ts';

/** Entries in any order, each name once. */
export function fitBin(entries: Iterable<IndexEntry>, partial = false): IndexBin {
  const all = [...entries].sort((left, right) => compareNames(left.name, right.name));
  const whole = { entries: all, partial };
  // So many fit whatever their names are.
  if (all.length <= 200) return whole;
  if (encodeBin(whole).length <= limits.indexMap.binBytes) return whole;
  const lowest = all.toSorted(
    (left, right) => left.serial - right.serial || compareNames(left.name, right.name),
  );
  // An entry's bytes do not depend on the others'; only the head of the array grows, by at most two bytes.
  const empty = encodeBin({ entries: [], partial: true }).length;
  const sizes = lowest.map((entry) => encodeBin({ entries: [entry], partial: true }).length - empty);
  let room = limits.indexMap.binBytes - empty - 2;
  const kept = sizes.findIndex((size) => (room -= size) < 0);
  return {
    entries: lowest.slice(0, kept).sort((left, right) => compareNames(left.name, right.name)),
    partial: true,
  };
}

export interface BinChanges {
  readonly set: readonly IndexEntry[];
  readonly del: readonly ProjectName[];
}

export function changeBin(bin: IndexBin, changes: BinChanges): IndexBin {
  return fitBin(changedEntries(bin, changes), bin.partial);
}

/** By name, ascending. */
export function changedEntries(bin: IndexBin, { set, del }: BinChanges): IndexEntry[] {
  const entries = new Map(bin.entries.map((entry) => [entry.name, entry]));
  for (const name of del) entries.delete(name);
  for (const entry of set) entries.set(entry.name, entry);
  return [...entries.values()].sort((left, right) => compareNames(left.name, right.name));
}
