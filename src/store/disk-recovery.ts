/**
 * The start: catalog and disk agree again. Names are compared, nothing is hashed: a blob that the catalog does not know is
 * taken in and hashed before its first serving; an entry without a file goes. Only our own names are touched.
 */
import type { Stats } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { BlobEntries } from './blob-entries.ts';
import { NEVER_CHECKED, type BlobIndex, type BlobRecord } from './blob-index.ts';
import { blobFolders, moveToPlace, type BlobLayout } from './blob-layout.ts';
import { DigestTable } from './digest-table.ts';
import { hasCode, removeFile, syncFolder, type FileSystem } from './file-system.ts';
import { removePartialFiles } from './partial-files.ts';
import { parseSegments } from './partial-log.ts';
import type { PartialRegistry } from './partial-registry.ts';
import type { VisibilityMarks } from './visibility-marks.ts';

const TAKEN_AT_ONCE = 500;

interface Place {
  readonly fileSystem: FileSystem;
  readonly layout: BlobLayout;
}

export async function recoverBlobs(
  place: Place,
  entries: BlobEntries,
  index: BlobIndex,
  marks: VisibilityMarks,
): Promise<void> {
  for (const digest of await entries.set('private')) marks.add(digest, 'private');
  const found = await findBlobs(place, marks);

  const gone: Digest[] = [];
  for await (const [digest, record] of entries.all()) {
    if (found.remove(digest) < 0) gone.push(digest);
    else index.addUnsorted(digest, record);
  }
  await entries.write(gone.map((digest) => [digest, undefined]));
  await takeIn(place, [...found.digests()], entries, index, marks);
  index.sort();
}

/** Blobs that the catalog does not know; some at a time, so that the disk's latency is not paid for each. */
async function takeIn(
  { fileSystem, layout }: Place,
  digests: readonly Digest[],
  entries: BlobEntries,
  index: BlobIndex,
  marks: VisibilityMarks,
): Promise<void> {
  const inspect = async (digest: Digest): Promise<[Digest, BlobRecord] | undefined> => {
    const stat = await statOf(fileSystem, layout.blob(digest, marks.ofHeld(digest)));
    // A name that leads nowhere, or stands in another digest's folder: somebody else's doing, and no reason not to start.
    if (stat === undefined) return undefined;
    const time = Math.floor(stat.mtimeMs);
    const record = { size: stat.size, addedAt: time, lastUsedAt: time, ...NEVER_CHECKED };
    return stat.isFile() ? [digest, record] : undefined;
  };
  for (let at = 0; at < digests.length; at += TAKEN_AT_ONCE) {
    const taken = await Promise.all(digests.slice(at, at + TAKEN_AT_ONCE).map(inspect));
    const records = taken.filter((one) => one !== undefined);
    for (const [digest, record] of records) index.addUnsorted(digest, record);
    await entries.write(records);
  }
}

async function statOf(fileSystem: FileSystem, path: string): Promise<Stats | undefined> {
  try {
    return await fileSystem.stat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ELOOP')) return undefined;
    throw error;
  }
}

/** What lies in the trees by its names; what is private is marked and in the private tree afterwards. */
async function findBlobs({ fileSystem, layout }: Place, marks: VisibilityMarks): Promise<DigestTable> {
  const found = new DigestTable();
  for (const folder of await blobFolders(fileSystem, layout, 'private')) {
    for (const name of await fileSystem.readdir(folder)) {
      if (!isDigest(name)) continue;
      marks.add(name, 'private');
      found.insert(name);
    }
  }
  for (const folder of await blobFolders(fileSystem, layout, 'public')) {
    for (const name of await fileSystem.readdir(folder)) {
      if (!isDigest(name)) continue;
      if (marks.ofHeld(name) === 'private') await hide({ fileSystem, layout }, name, found.has(name));
      found.insert(name);
    }
  }
  return found;
}

/** Marked private, and killed before its file was moved. */
async function hide({ fileSystem, layout }: Place, digest: Digest, twice: boolean): Promise<void> {
  if (twice) {
    await removeFile(fileSystem, layout.blob(digest, 'public'));
    return;
  }
  await moveToPlace(fileSystem, layout, layout.blob(digest, 'public'), { digest, visibility: 'private' });
  await syncFolder(fileSystem, layout.folder(digest, 'private'));
  await syncFolder(fileSystem, layout.folder(digest, 'public'));
}

/** Partials with a log that is younger than an hour are kept, cut to what the log covers; the rest goes. */
export async function recoverPartials(
  { fileSystem, layout }: Place,
  clock: Clock,
  partials: PartialRegistry,
): Promise<void> {
  const digests = new DigestTable();
  const kept: { digest: Digest; length: number; at: number }[] = [];
  for (const name of await fileSystem.readdir(layout.partials)) {
    const digest = name.slice(0, 64);
    if (!isDigest(digest) || !['', '.sent', '.sent.new'].includes(name.slice(64))) continue;
    if (name.endsWith('.new')) await removeFile(fileSystem, `${layout.sent(digest)}.new`);
    if (digests.has(digest)) continue;
    digests.insert(digest);
    const found = await covered({ fileSystem, layout }, digest);
    if (found !== undefined && Math.abs(clock.now() - found.at) <= limits.freshness.partialKept) {
      kept.push({ digest, ...found });
    } else {
      await removePartialFiles(digest, { fileSystem, layout });
    }
  }
  // A folder lists them in any order; when room is short the one kept longest goes first.
  for (const { digest, length, at } of kept.toSorted((a, b) => a.at - b.at))
    partials.keep(digest, length, at);
}

async function covered(
  { fileSystem, layout }: Place,
  digest: Digest,
): Promise<{ length: number; at: number } | undefined> {
  try {
    const last = parseSegments(await fileSystem.readFile(layout.sent(digest), 'utf8')).at(-1);
    if (last === undefined) return undefined;
    const { size } = await fileSystem.stat(layout.partial(digest));
    const length = Math.min(size, last.end);
    if (size > length) await fileSystem.truncate(layout.partial(digest), length);
    return { length, at: last.at };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
