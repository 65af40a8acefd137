/**
 * Where things are in the data folder. The version is part of each path, so that a later layout can live beside this one.
 * The tree says who may see a blob: what lies in `private` stays private even when the catalog is lost.
 *
 *   blobs/v1/public/ab/abcd...   blobs/v1/private/ab/abcd...   partials/v1/abcd...   partials/v1/abcd....sent
 *
 * One level of 256 folders: 100,000 blobs are 390 names a folder, and the start reads at most 512 folders instead of 131,072.
 */
import { dirname, join, resolve, sep } from 'node:path';
import type { Digest } from '../core/digest.ts';
import type { Visibility } from './blob-store.ts';
import { hasCode, syncFolder, type FileSystem } from './file-system.ts';

export interface BlobLayout {
  readonly partials: string;
  tree(visibility: Visibility): string;
  folder(digest: Digest, visibility: Visibility): string;
  blob(digest: Digest, visibility: Visibility): string;
  partial(digest: Digest): string;
  /** Who sent what of a partial. */
  sent(digest: Digest): string;
}

export function blobLayout(dataDir: string): BlobLayout {
  const blobs = resolve(dataDir, 'blobs', 'v1');
  const partials = resolve(dataDir, 'partials', 'v1');
  const trees = { public: join(blobs, 'public'), private: join(blobs, 'private') };
  // Digests need no normalizing, and a blob's commit asks for eight paths.
  const folder = (digest: Digest, visibility: Visibility): string =>
    `${trees[visibility]}${sep}${digest.slice(0, 2)}`;
  return {
    partials,
    tree: (visibility) => trees[visibility],
    folder,
    blob: (digest, visibility) => `${folder(digest, visibility)}${sep}${digest}`,
    partial: (digest) => `${partials}${sep}${digest}`,
    sent: (digest) => `${partials}${sep}${digest}.sent`,
  };
}

export async function makeFolders(fileSystem: FileSystem, layout: BlobLayout): Promise<void> {
  for (const folder of [layout.partials, layout.tree('public'), layout.tree('private')]) {
    const made = await fileSystem.mkdir(folder, { recursive: true, mode: 0o700 });
    if (made === undefined) continue;
    // The names of all that were made survive power loss from here on.
    const top = dirname(made);
    let parent = folder;
    do {
      parent = dirname(parent);
      await syncFolder(fileSystem, parent);
    } while (parent !== top);
  }
}

/** Every folder that holds blobs of this visibility. */
export async function blobFolders(
  fileSystem: FileSystem,
  layout: BlobLayout,
  visibility: Visibility,
): Promise<string[]> {
  const tree = layout.tree(visibility);
  const names = await fileSystem.readdir(tree);
  return names.filter((name) => /^[0-9a-f]{2}$/.test(name)).map((name) => join(tree, name));
}

/** Moves a file to a blob's place. Lasting only when the place's folder was synced, which is the caller's to do. */
export async function moveToPlace(
  fileSystem: FileSystem,
  layout: BlobLayout,
  from: string,
  to: { readonly digest: Digest; readonly visibility: Visibility },
  /** Makes a folder that was made in the given one survive power loss. */
  sync: (path: string) => Promise<void> = (path) => syncFolder(fileSystem, path),
): Promise<void> {
  const target = layout.blob(to.digest, to.visibility);
  try {
    await fileSystem.rename(from, target);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await fileSystem.mkdir(layout.folder(to.digest, to.visibility), { recursive: true, mode: 0o700 });
    await sync(layout.tree(to.visibility));
    await fileSystem.rename(from, target);
  }
}
