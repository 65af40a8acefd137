import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigurationError } from '../../src/core/errors.ts';
import { openDataFolder } from '../../src/store/data-folder.ts';
import { temporaryFolder } from '../support/disk-store.ts';

function refusal(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.equal(error.fault, 'environment');
    assert.match(error.message, message);
    assert.match(error.fix, /--data-dir/);
    return true;
  };
}

test('makes the folder, for its user only, with a marker', async () => {
  await using parent = await temporaryFolder();
  const path = join(parent.path, 'deep', 'data');
  await using folder = await openDataFolder(path);
  assert.equal(folder.path, path);
  assert.equal((await stat(path)).mode & 0o777, 0o700);
  assert.deepEqual(JSON.parse(await readFile(join(path, 'fondue.json'), 'utf8')), { format: 1 });
});

test('takes an empty folder, one with only lost+found, its own again, and one killed while it was made', async () => {
  await using parent = await temporaryFolder();
  for (const prepare of [
    async () => undefined,
    (path: string) => mkdir(join(path, 'lost+found')),
    (path: string) => writeFile(join(path, 'fondue.json'), ''),
    (path: string) => writeFile(join(path, 'fondue.json'), '{"format":1}'),
  ]) {
    const path = join(parent.path, String(Math.random()));
    await mkdir(path);
    await prepare(path);
    for (let i = 0; i < 2; i++) {
      await using folder = await openDataFolder(path);
      assert.equal(folder.path, path);
    }
  }
});

test('refuses a folder of somebody else and leaves it as it is', async () => {
  await using parent = await temporaryFolder();
  await writeFile(join(parent.path, 'thesis.tex'), 'x');
  await assert.rejects(
    openDataFolder(parent.path),
    refusal(/not empty and not a data folder .* no fondue\.json/),
  );
  assert.deepEqual(await readdir(parent.path), ['thesis.tex']);
  await writeFile(join(parent.path, 'fondue.json'), '{"recipe":"moitie-moitie"}');
  await assert.rejects(openDataFolder(parent.path), refusal(/its fondue\.json is not ours/));
  await writeFile(join(parent.path, 'fondue.json'), '');
  await assert.rejects(openDataFolder(parent.path), refusal(/not empty and not a data folder/));
});

test('refuses a folder of a newer version', async () => {
  await using parent = await temporaryFolder();
  await writeFile(join(parent.path, 'fondue.json'), '{"format":2}');
  await assert.rejects(openDataFolder(parent.path), refusal(/has format 2, this program knows 1/));
});

test('refuses a path that is a file, or below one', async () => {
  await using parent = await temporaryFolder();
  const file = join(parent.path, 'file');
  await writeFile(file, '');
  await assert.rejects(openDataFolder(file), refusal(/cannot use the data folder/));
  await assert.rejects(openDataFolder(join(file, 'data')), refusal(/cannot use the data folder/));
});

test('refuses a folder that it may not write to', async () => {
  await using parent = await temporaryFolder();
  const path = join(parent.path, 'data');
  await mkdir(path);
  await chmod(path, 0o500);
  // Root may write everywhere; as nobody, even looking into it is forbidden.
  const root = process.getuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    await assert.rejects(openDataFolder(path), refusal(/cannot use the data folder .*permission denied/));
  } finally {
    if (root) process.seteuid?.(0);
  }
});

test(
  'refuses a folder on a file system that is read-only',
  { skip: process.platform !== 'linux' },
  async () => {
    await assert.rejects(
      openDataFolder('/proc/fondue'),
      refusal(/cannot use the data folder \/proc\/fondue/),
    );
  },
);

test('one opener at a time, in one process too', async () => {
  await using parent = await temporaryFolder();
  {
    await using folder = await openDataFolder(parent.path);
    await assert.rejects(openDataFolder(parent.path), refusal(/this very process uses the data folder/));
    await folder[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  }
  await using again = await openDataFolder(parent.path);
  assert.ok(again);
});

test(
  'names the process that has the folder, and takes it over when that one was killed',
  { timeout: 15_000 },
  async () => {
    await using parent = await temporaryFolder();
    const script = `
    import { openDataFolder } from ${JSON.stringify(new URL('../../src/store/data-folder.ts', import.meta.url).href)};
    await openDataFolder(${JSON.stringify(parent.path)});
    console.log('open');
    setInterval(() => {}, 1000);
  `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await assert.rejects(
        openDataFolder(parent.path),
        refusal(new RegExp(`another node \\(pid ${child.pid}\\) uses the data folder ${parent.path}`)),
      );
    } finally {
      child.kill('SIGKILL');
    }
    await once(child, 'exit');
    await using folder = await openDataFolder(parent.path);
    assert.ok(folder);
  },
);
