/** What lies in a node's data folder, looked at from outside: the layout of docs/operating.md, nothing from `src/`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** All files below `folder`, as paths relative to it. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

const BLOB = /^blobs\/v\d+\/(?:public|private)\/[0-9a-f]{2}\/[0-9a-f]{64}$/;
const PARTIAL = /^partials\/v\d+\/[0-9a-f]{64}(?:\.sent)?$/;
/** A killed node's; `node.json` and the lock's owner are replaced by the next one. */
const OTHER = /^(?:catalog|lock|network)\/|^(?:fondue|node)\.json$|^admin\.sock$|^gateway\.key$/;

export interface FolderContent {
  /** Digests of whole blobs. */
  readonly blobs: readonly string[];
  /** Digests of partials. */
  readonly partials: readonly string[];
}

/** What a running node is just writing to rename it, or deleting, comes to rest within this, in ms. */
const REST = 3000;

/**
 * Fails when a file under its final name does not hash to it, or when something lies about that has no place. What a
 * killed node was just writing to rename it (`.new`) is for the next start to clear.
 */
export async function checkFolder(dataDir: string, justKilled = false): Promise<FolderContent> {
  const end = performance.now() + (justKilled ? 0 : REST);
  for (;;) {
    try {
      return await lookInto(dataDir, justKilled);
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(100);
    }
  }
}

async function lookInto(dataDir: string, justKilled: boolean): Promise<FolderContent> {
  const blobs: string[] = [];
  const partials = new Set<string>();
  for (const path of await filesBelow(dataDir)) {
    if (justKilled && path.endsWith('.new')) continue;
    if (BLOB.test(path)) {
      const hash = createHash('sha256').update(await readFile(join(dataDir, path)));
      assert.equal(hash.digest('hex'), basename(path), `${path} does not fit its name`);
      blobs.push(basename(path));
    } else if (PARTIAL.test(path)) partials.add(basename(path).slice(0, 64));
    else assert.match(path, OTHER, `${path} was left over`);
  }
  return { blobs, partials: [...partials] };
}

/** Where a blob lies. */
export async function findBlob(dataDir: string, sha256: string): Promise<string> {
  const found = (await filesBelow(dataDir)).find((path) => BLOB.test(path) && basename(path) === sha256);
  assert.ok(found, `${sha256} is not in ${dataDir}`);
  return join(dataDir, found);
}

/** One byte in the middle of a blob altered in place: same inode, size and times of reading and writing. */
export async function alterBlob(dataDir: string, sha256: string): Promise<void> {
  const path = await findBlob(dataDir, sha256);
  const { atime, mtime } = await stat(path);
  const bytes = await readFile(path);
  // Another value each time: two alterations are no repair.
  bytes[bytes.length >> 1]!++;
  await writeFile(path, bytes, { flag: 'r+' });
  await utimes(path, atime, mtime);
}
