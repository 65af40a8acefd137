/** `kill -9` at any moment. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Digest } from '../../src/core/digest.ts';
import { blobFolders, blobLayout } from '../../src/store/blob-layout.ts';
import { openDataFolder } from '../../src/store/data-folder.ts';
import { realFileSystem } from '../../src/store/file-system.ts';
import { digestOf, readBlob } from '../contracts/blob-store.ts';
import { openStoreIn, temporaryFolder } from '../support/disk-store.ts';

/** As many as fit into the time, at least the first number. */
const ROUNDS = { least: 2, most: 10, forMs: 8000 };
const writer = new URL('../support/blob-writer.ts', import.meta.url).pathname;

/** What the process said until it was killed, some way into its `lines`-th acknowledgement and what it does next. */
async function killAfter(path: string, lines: number, turns: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const said: string[] = [];
  try {
    for await (const line of createInterface(child.stdout)) {
      said.push(line);
      if (said.length !== lines) continue;
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      child.kill('SIGKILL');
    }
  } finally {
    child.kill('SIGKILL');
    await exit;
  }
  return said;
}

async function filesUnderFinalNames(dataDir: string): Promise<Digest[]> {
  const layout = blobLayout(dataDir);
  const found: Digest[] = [];
  for (const visibility of ['public', 'private'] as const) {
    for (const folder of await blobFolders(realFileSystem, layout, visibility)) {
      for (const name of await readdir(folder)) {
        assert.equal(digestOf(await readFile(`${folder}/${name}`)), name, 'a wrong file under a final name');
        found.push(name as Digest);
      }
    }
  }
  return found;
}

test(
  'killed again and again while writing, the store has every acknowledged blob, mark and pin, and no wrong file',
  { timeout: 60_000 },
  async () => {
    await using folder = await temporaryFolder();
    const promised = { held: new Set<Digest>(), private: new Set<Digest>(), pinned: new Set<Digest>() };
    const started = performance.now();
    for (let round = 0; round < ROUNDS.most; round++) {
      if (round >= ROUNDS.least && performance.now() - started > ROUNDS.forMs) break;
      const [lines, turns] = [1 + Math.floor(Math.random() * 12), Math.floor(Math.random() * 400)];
      const moment = `round ${round}, killed after ${lines} lines and ${turns} turns`;
      const said = await killAfter(folder.path, lines, turns);
      assert.ok(said.length >= lines, moment);
      for (const line of said) {
        const [what, digest] = line.split(' ') as [keyof typeof promised, Digest];
        promised[what].add(digest);
      }
      const files = await filesUnderFinalNames(folder.path);

      await using lock = await openDataFolder(folder.path);
      await using opened = await openStoreIn(lock.path);
      const { store } = opened;
      for (const digest of promised.held)
        assert.ok(store.stat(digest), `${digest} was acknowledged; ${moment}`);
      for (const digest of promised.private) assert.equal(store.stat(digest)?.visibility, 'private', moment);
      for (const digest of promised.pinned) assert.ok(store.stat(digest)?.pinned, moment);
      assert.equal(store.totals().blobs, files.length, moment);
      // What the catalog had no entry for is hashed now; nothing may turn out wrong.
      for (const { digest, size } of store.list()) {
        assert.equal((await readBlob(store, digest))?.length, size, moment);
      }
      assert.equal(store.totals().corruptBlobs, 0, moment);
      for (const name of await readdir(blobLayout(folder.path).partials)) {
        await using partial = await store.openPartial(name.slice(0, 64) as Digest).catch(() => undefined);
        assert.ok(partial === undefined || (partial.sent.at(-1)?.end ?? 0) === partial.length, moment);
        await partial?.discard();
      }
      assert.deepEqual(await readdir(blobLayout(folder.path).partials), [], moment);
    }
  },
);
