/**
 * Finding, at the start, the newest generation that is whole. Its overlay is renamed into place last, so an overlay stands for a
 * generation that was finished. What is damaged is set aside as `damaged.base` and `damaged.log` (one of each is kept), what
 * was never finished or is superseded is removed, files of others are left alone.
 */
import { join } from 'node:path';
import { EMPTY_BIN } from '../../core/index-map/index-bin.ts';
import { BINS } from '../../core/index-map/index-entry.ts';
import { leafHash } from '../../core/index-map/tree-hash.ts';
import { hasCode, type FileSystem, removeFile, syncFolder } from '../file-system.ts';
import { type BaseFile, openBase, type StoredBin, writeBase } from './base-file.ts';
import { Generation, keyOf } from './generation.ts';
import { OverlayLog } from './overlay-log.ts';

export interface MapPlace {
  readonly fileSystem: FileSystem;
  readonly path: string;
  readonly onDamage: (message: string) => void;
}

/** What the overlay says of each map: its leaves that differ from the base. */
export type LoggedViews = Map<string, Map<number, Uint8Array>>;

export interface OpenedGeneration {
  readonly generation: Generation;
  readonly views: LoggedViews;
}

const OURS = /^(\d{1,15})\.(base|log)$/;

export async function openNewestGeneration(place: MapPlace): Promise<OpenedGeneration> {
  const { fileSystem, path } = place;
  await fileSystem.mkdir(path, { recursive: true, mode: 0o700 });
  const files = await fileSystem.readdir(path);
  const numbers = new Set(files.flatMap((file) => OURS.exec(file)?.[1] ?? []).map(Number));
  let found: OpenedGeneration | undefined;
  for (const number of [...numbers].sort((left, right) => right - left)) {
    if (found === undefined) found = await tryOpen(place, number, files);
    else await removeGeneration(place, number);
  }
  for (const file of files) {
    if (file.endsWith('.new') && OURS.test(file.slice(0, -4))) await removeFile(fileSystem, join(path, file));
  }
  return found ?? { generation: await firstGeneration(place, Math.max(0, ...numbers) + 1), views: new Map() };
}

/** Writes base and overlay under temporary names, then gives them their names: the overlay's is the moment it counts. */
export async function writeGeneration(
  place: MapPlace,
  number: number,
  bins: AsyncIterable<readonly StoredBin[]>,
  fill: (generation: Generation) => Promise<void>,
): Promise<Generation> {
  const { fileSystem, path } = place;
  const [basePath, logPath] = pathsOf(path, number);
  let base: BaseFile | undefined;
  let log: OverlayLog | undefined;
  try {
    base = await writeBase(fileSystem, `${basePath}.new`, bins);
    log = await OverlayLog.create(fileSystem, `${logPath}.new`, base.id);
    const generation = new Generation({ number, base, log, places: new Map() }, place.onDamage);
    await fill(generation);
    await log.sync();
    await fileSystem.rename(`${basePath}.new`, basePath);
    await fileSystem.rename(`${logPath}.new`, logPath);
    await syncFolder(fileSystem, path);
    return generation;
  } catch (error) {
    await base?.close();
    await log?.close();
    await removeGeneration(place, number).catch(() => {});
    throw error;
  }
}

export async function removeGeneration({ fileSystem, path }: MapPlace, number: number): Promise<void> {
  const [basePath, logPath] = pathsOf(path, number);
  // The overlay first: without it the base counts for nothing.
  for (const file of [logPath, `${logPath}.new`, basePath, `${basePath}.new`])
    await removeFile(fileSystem, file);
}

async function tryOpen(
  place: MapPlace,
  number: number,
  files: readonly string[],
): Promise<OpenedGeneration | undefined> {
  const [basePath, logPath] = pathsOf(place.path, number);
  if (!files.includes(`${number}.log`)) {
    await removeGeneration(place, number);
    return undefined;
  }
  const base = await openBase(place.fileSystem, basePath).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return { damage: 'is gone' };
    throw error;
  });
  if ('damage' in base) return await setAside(place, number, `${number}.base ${base.damage}`);
  const places = new Map<string, { position: number; length: number; count: number }>();
  const views: LoggedViews = new Map();
  try {
    const opened = await OverlayLog.open(place.fileSystem, logPath, base.id, (frame, position) => {
      if (frame.kind === 'drop') views.delete(frame.name);
      else if (frame.kind === 'bin') {
        const { bytes, count } = frame;
        places.set(keyOf(leafHash(bytes)), { position, length: bytes.length, count });
      } else {
        const before = frame.fromBase ? [] : (views.get(frame.name) ?? []);
        views.set(frame.name, new Map([...before, ...frame.changed]));
      }
    });
    if ('damage' in opened) {
      await base.close();
      return await setAside(place, number, `${number}.log ${opened.damage}`);
    }
    const { log, cut } = opened;
    if (cut > 0)
      place.onDamage(`${number}.log of the index maps ended in ${cut} bytes of an unfinished write`);
    return { generation: new Generation({ number, base, log, places }, place.onDamage), views };
  } catch (error) {
    await base.close();
    throw error;
  }
}

async function setAside(
  { fileSystem, path, onDamage }: MapPlace,
  number: number,
  what: string,
): Promise<undefined> {
  const [basePath, logPath] = pathsOf(path, number);
  await fileSystem.rename(logPath, join(path, 'damaged.log'));
  await fileSystem.rename(basePath, join(path, 'damaged.base')).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
  onDamage(
    `${what}: the index maps begin anew and are fetched again; the old files are damaged.* in ${path}`,
  );
}

async function firstGeneration(place: MapPlace, number: number): Promise<Generation> {
  async function* emptyBins(): AsyncGenerator<StoredBin[]> {
    yield Array.from({ length: BINS }, () => ({ bytes: EMPTY_BIN, count: 0 }));
  }
  return await writeGeneration(place, number, emptyBins(), async () => {});
}

function pathsOf(path: string, number: number): [base: string, log: string] {
  return [join(path, `${number}.base`), join(path, `${number}.log`)];
}
