/** `kill -9` at any moment. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { MerkleTree } from '../../../src/core/index-map/merkle-tree.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { allEntries } from './index-maps-contract.ts';
import { openMapsIn } from './open-maps.ts';

const child = new URL('../../support/index-map-child.ts', import.meta.url).pathname;

async function saidUntilKilled(path: string, lines: number): Promise<string[]> {
  const running = spawn(process.execPath, [child, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(running, 'exit');
  const said: string[] = [];
  try {
    for await (const line of createInterface(running.stdout)) {
      said.push(line);
      if (said.length !== lines) continue;
      for (let turn = Math.random() * 300; turn > 0; turn--)
        await new Promise((resolve) => setImmediate(resolve));
      running.kill('SIGKILL');
    }
  } finally {
    running.kill('SIGKILL');
    await exit;
  }
  return said;
}

test(
  'killed again and again, the maps have every acknowledged commit and nothing half-done',
  { timeout: 120_000 },
  async () => {
    await using folder = await temporaryFolder();
    for (const lines of [7, 25, 60]) {
      const said = await saidUntilKilled(folder.path, lines + Math.floor(Math.random() * 10));
      await using opened = await openMapsIn(folder.path);
      const files = (await readdir(folder.path)).filter((file) => !file.startsWith('lock'));
      assert.deepEqual(files.map((file) => file.replace(/^\d+/, 'N')).sort(), ['N.base', 'N.log']);
      for (const name of ['a', 'b']) {
        const of = said.map((line) => line.split(' ')).filter(([, map]) => map === name);
        const lastDone = of.findLastIndex(([what]) => what === 'done');
        const possible = new Set(of.slice(Math.max(0, lastDone)).map(([, , root]) => root));
        const map = opened.maps.view(name);
        assert.ok(possible.has(map.root()), `map ${name} after ${said.length} lines: ${said.at(-1)}`);
        assert.equal(MerkleTree.fromLeaves(map.leaves()).root(), map.root());
        assert.equal((await allEntries(map)).length, map.count);
      }
    }
  },
);
