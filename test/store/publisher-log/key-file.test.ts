import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKeyPair } from '../../../src/core/log/signer-key.ts';
import { readKeyFile, writeKeyFile } from '../../../src/store/publisher-log/key-file.ts';
import { temporaryFolder } from '../../support/disk-store.ts';

const pair = generateKeyPair('alice.example', { bytes: () => Buffer.alloc(32, 1), float: () => 0 });

test("a key file is its owner's alone, and holds the key in one line", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'alice.key');
  const umask = process.umask(0);
  try {
    await writeKeyFile(path, pair.signerKey);
  } finally {
    process.umask(umask);
  }
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(await readFile(path, 'utf8'), `${pair.signerKey}\n`);
  assert.equal((await readKeyFile(path)).key.text, pair.verifierKey);
});

test('a key is never overwritten', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'alice.key');
  await writeKeyFile(path, pair.signerKey);
  await assert.rejects(writeKeyFile(path, 'other'), { code: 'CONFIGURATION', message: /exists/ });
  assert.equal((await readKeyFile(path)).key.text, pair.verifierKey);
  await assert.rejects(writeKeyFile(join(folder.path, 'none', 'key'), 'x'), { code: 'CONFIGURATION' });
});

for (const mode of [0o640, 0o604, 0o620, 0o610, 0o644]) {
  test(`a key file of mode ${mode.toString(8)} is refused, with the cure`, async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'alice.key');
    await writeKeyFile(path, pair.signerKey);
    await chmod(path, mode);
    await assert.rejects(readKeyFile(path), (error: Error & { fix?: string }) => {
      assert.match(error.message, /others may read the key file/);
      assert.match(error.fix ?? '', new RegExp(`chmod 600 ${path}`));
      assert.ok(!error.message.includes(pair.signerKey.slice(-20)));
      return true;
    });
  });
}

test('what is no key file is refused, and never shown', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'file');
  for (const content of ['', 'secret', `${pair.signerKey}\n\n`, pair.verifierKey, 'x'.repeat(5000)]) {
    await writeFile(path, content, { mode: 0o600 });
    await assert.rejects(readKeyFile(path), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CONFIGURATION');
      assert.ok(content === '' || !error.message.includes(content));
      return true;
    });
  }
  await mkdir(join(folder.path, 'folder'), { mode: 0o700 });
  await assert.rejects(readKeyFile(join(folder.path, 'folder')), { code: 'CONFIGURATION' });
  await assert.rejects(readKeyFile(join(folder.path, 'none')), {
    code: 'CONFIGURATION',
    fix: /fondue key new/,
  });
});
