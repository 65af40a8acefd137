/** Index maps in a folder, and what was told of them. */
import { createFactEmitter, type FactName, type Facts } from '../../../src/core/facts.ts';
import { type DiskIndexMapsDeps, openDiskIndexMaps } from '../../../src/store/index-map/disk-index-maps.ts';
import type { IndexMaps } from '../../../src/store/index-map/index-maps.ts';

export interface OpenedMaps extends AsyncDisposable {
  readonly maps: IndexMaps;
  readonly told: { readonly name: FactName; readonly fact: Facts[FactName] }[];
}

export async function openMapsIn(
  path: string,
  options: Pick<DiskIndexMapsDeps, 'fileSystem' | 'due'> = {},
): Promise<OpenedMaps> {
  const facts = createFactEmitter();
  const told: OpenedMaps['told'] = [];
  facts.onAny((name, fact) => told.push({ name, fact }));
  const maps = await openDiskIndexMaps({ path, facts, ...options });
  return { maps, told, [Symbol.asyncDispose]: () => maps[Symbol.asyncDispose]() };
}
