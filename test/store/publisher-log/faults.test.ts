/** A publisher that is cut off at any step never signs two heads of one size, and loses no record that it signed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { StorageFullError } from '../../../src/core/errors.ts';
import { openCheckpoint } from '../../../src/core/log/checkpoint.ts';
import { type FileSystem, realFileSystem } from '../../../src/store/file-system.ts';
import { newTiles, tilePath } from '../../../src/core/log/tiles.ts';
import { createMemoryLogFiles } from '../../../src/store/publisher-log/log-files.ts';
import {
  openDiskPublisherLog,
  openMemoryPublisherLog,
} from '../../../src/store/publisher-log/open-publisher-log.ts';
import { temporaryFolder } from '../../support/disk-store.ts';
import { createFaultyFileSystem, systemError } from '../../support/faulty-file-system.ts';
import { alice, appendUpTo, draftOf } from './contract.ts';

interface Step {
  readonly name: string;
  readonly path: string;
}

/** Every operation that changes something is told before it is done; what `before` throws, it throws. */
function watched(before: (step: Step) => Promise<void>): FileSystem {
  const faulty = createFaultyFileSystem();
  const told =
    <A extends unknown[], R>(name: string, work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await before({ name, path: String(name === 'rename' ? args[1] : args[0]) });
      return work(...args);
    };
  return {
    ...faulty.fileSystem,
    mkdir: told('mkdir', realFileSystem.mkdir) as FileSystem['mkdir'],
    rename: told('rename', realFileSystem.rename),
    unlink: told('unlink', realFileSystem.unlink),
    open: (async (path: string, flags: string, mode: number) => {
      await before({ name: `open ${flags}`, path });
      const handle = await realFileSystem.open(path, flags, mode);
      const sync = handle.sync.bind(handle);
      handle.sync = async () => {
        await before({ name: 'sync', path });
        await sync();
      };
      return handle;
    }) as FileSystem['open'],
  };
}

/** A folder with a log that lacks one record to `size`, without the partial tiles of earlier sizes: many copies are made of it. */
async function preparedFolder(size: number) {
  const files = createMemoryLogFiles();
  await using log = await openMemoryPublisherLog([alice], files);
  await appendUpTo(log, size - 1);
  const tiles = newTiles(0, size - 1);
  const paths = [
    ...tiles,
    ...tiles.filter(({ level }) => level === 0).map((tile) => ({ ...tile, level: 'entries' as const })),
  ];
  const folder = await temporaryFolder();
  for (const path of ['checkpoint', ...paths.map(tilePath)]) {
    const bytes = await files.read(path);
    const target = join(folder.path, 'a/log', path);
    await mkdir(dirname(target), { recursive: true });
    if (bytes !== undefined) await writeFile(target, bytes);
  }
  return folder;
}

for (const size of [1, 2, 256, 257]) {
  test(`killed before any step of append ${size}, it has the record and signs that one, or never had it`, async () => {
    await using folder = await preparedFolder(size);
    const copies: { path: string; step: string; signed: boolean }[] = [];
    let signed = false;
    const fileSystem = watched(async (step) => {
      const path = join(folder.path, `copy ${copies.length}`);
      // What a kill leaves now, without the lock.
      await cp(join(folder.path, 'a', 'log'), join(path, 'log'), { recursive: true });
      copies.push({ path, step: `${step.name} ${step.path.slice(folder.path.length)}`, signed });
      if (step.name === 'rename' && step.path.endsWith('checkpoint')) signed = true;
    });
    const acknowledged = await (async () => {
      await using log = await openDiskPublisherLog({
        folder: join(folder.path, 'a'),
        signers: [alice],
        fileSystem,
      });
      return await log.append(draftOf(size - 1));
    })();
    assert.ok(copies.length >= 10, String(copies.length));
    const outcomes = new Set<number>();
    for (const copy of copies) {
      await using log = await openDiskPublisherLog({ folder: copy.path, signers: [alice] });
      outcomes.add(log.size);
      if (copy.signed) assert.equal(log.size, size, copy.step);
      if (log.size === size) {
        assert.deepEqual(log.head?.checkpoint, acknowledged.checkpoint, copy.step);
        assert.deepEqual(Buffer.from(log.head?.note ?? []), Buffer.from(acknowledged.note), copy.step);
      } else {
        // It never was in the log, so another may take its place.
        assert.equal(log.size, size - 1, copy.step);
        await log.append(draftOf(size - 1, { count: 5 }));
      }
      await log.append(draftOf(size));
      assert.equal(log.size, size + 1);
    }
    assert.deepEqual(
      [...outcomes].sort((a, b) => a - b),
      [size - 1, size],
    );
  });

  test(`a disk that fails at any step of append ${size} costs that append at most`, async () => {
    await using folder = await preparedFolder(size);
    await using counted = await copyOf(folder.path);
    let steps = 0;
    const counting = watched(async () => void steps++);
    await (async () => {
      await using log = await openDiskPublisherLog({
        folder: counted.path,
        signers: [alice],
        fileSystem: counting,
      });
      steps = 0;
      await log.append(draftOf(size - 1));
    })();
    for (let failing = 0; failing < steps; failing++) {
      await using copy = await copyOf(folder.path);
      let left = Infinity;
      const fileSystem = watched(async () => {
        if (left-- === 0) throw systemError('EIO');
      });
      await using log = await openDiskPublisherLog({ folder: copy.path, signers: [alice], fileSystem });
      left = failing;
      await assert.rejects(log.append(draftOf(size - 1)), /EIO/, `step ${failing}`);
      const onDisk = await signedSize(copy.path);
      const head = await log.recover();
      assert.ok((head?.checkpoint.size ?? 0) >= onDisk, `step ${failing}`);
      if (head?.checkpoint.size === size) {
        await assert.rejects(log.append(draftOf(size - 1)), { code: 'RECORD_WRONG_SEQ' });
        assert.deepEqual(head.record.seq, size - 1);
      } else await log.append(draftOf(size - 1));
      await log.append(draftOf(size));
      assert.equal(log.size, size + 1);
    }
  });
}

async function copyOf(path: string) {
  const copy = await temporaryFolder();
  await cp(join(path, 'a', 'log'), join(copy.path, 'log'), { recursive: true });
  return copy;
}

async function signedSize(path: string): Promise<number> {
  try {
    return openCheckpoint(await readFile(join(path, 'log', 'checkpoint')), [alice.key]).checkpoint.size;
  } catch {
    return 0;
  }
}

test('nothing is signed before record and tiles are synced, and the checkpoint is the last thing written', async () => {
  await using folder = await preparedFolder(256);
  const steps: string[] = [];
  const fileSystem = watched(async ({ name, path }) => {
    steps.push(`${name} ${path.slice(join(folder.path, 'a/log').length)}`);
  });
  await using log = await openDiskPublisherLog({
    folder: join(folder.path, 'a'),
    signers: [alice],
    fileSystem,
  });
  steps.length = 0;
  await log.append(draftOf(255));
  const written = (path: string): string[] => ['open w /.new', 'sync /.new', `rename ${path}`];
  const synced = (path: string): string[] => [`open r ${path}`, `sync ${path}`];
  assert.deepEqual(
    steps.filter((step) => !step.startsWith('unlink')),
    [
      ['mkdir /tile', ...synced(''), 'mkdir /tile/entries', ...synced('/tile')],
      [...written('/tile/entries/000'), ...synced('/tile/entries')],
      ['mkdir /tile/0', ...synced('/tile')],
      [...written('/tile/0/000'), ...synced('/tile/0')],
      ['mkdir /tile/1', ...synced('/tile'), 'mkdir /tile/1/000.p', ...synced('/tile/1')],
      [...written('/tile/1/000.p/1'), ...synced('/tile/1/000.p')],
      [...written('/checkpoint'), ...synced('')],
    ].flat(),
  );
  const last = steps.indexOf('rename /checkpoint');
  assert.ok(steps.findIndex((step) => step.startsWith('unlink')) > last);
});

test('a record whose folder could not be synced is made durable before it is signed after all', async () => {
  await using folder = await preparedFolder(2);
  const root = join(folder.path, 'a/log');
  const bundles = join(root, 'tile/entries/000.p');
  const steps: string[] = [];
  let failing = true;
  const fileSystem = watched(async ({ name, path }) => {
    if (failing && name === 'sync' && path === bundles) throw systemError('EIO');
    steps.push(`${name} ${path.slice(root.length)}`);
  });
  const options = { folder: join(folder.path, 'a'), signers: [alice], fileSystem } as const;
  await using log = await openDiskPublisherLog(options);
  await assert.rejects(log.append(draftOf(1)), /EIO/);
  failing = false;
  steps.length = 0;
  assert.equal((await log.recover())?.checkpoint.size, 2);
  const synced = steps.indexOf('sync /tile/entries/000.p');
  assert.ok(synced >= 0 && synced < steps.indexOf('rename /checkpoint'), steps.join('\n'));
});

test('a full disk is said, and nothing is lost by it', async () => {
  await using folder = await preparedFolder(3);
  const faults = createFaultyFileSystem();
  await using log = await openDiskPublisherLog({
    folder: join(folder.path, 'a'),
    signers: [alice],
    fileSystem: faults.fileSystem,
  });
  for (const free of [0, 10, 3000, 3020]) {
    faults.free = free;
    const failed = await log.append(draftOf(log.size)).then(
      () => undefined,
      (error: unknown) => error,
    );
    faults.free = undefined;
    assert.ok(failed === undefined || failed instanceof StorageFullError, String(failed));
    await log.recover();
    await log.append(draftOf(log.size));
  }
});

test(
  'killed again and again, a process signs one head a size, and the next goes on from the last',
  { timeout: 60_000 },
  async () => {
    await using folder = await temporaryFolder();
    const roots = new Map<number, string>();
    const child = new URL('../../support/log-writer-child.ts', import.meta.url).pathname;
    let largest = 0;
    for (let round = 0; round < 6; round++) {
      const writer = spawn(process.execPath, [child, folder.path, String(round)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(writer, 'exit');
      const [lines, turns] = [2 + Math.floor(Math.random() * 20), Math.floor(Math.random() * 300)];
      const moment = `round ${round}, killed after ${lines} lines and ${turns} turns`;
      let seen = 0;
      try {
        for await (const line of createInterface(writer.stdout)) {
          const [what, sizeText, root = ''] = line.split(' ');
          const size = Number(sizeText);
          if (what === 'open') assert.ok(size >= largest, `${moment}: has ${size} of ${largest}`);
          largest = Math.max(largest, size);
          if (size > 0) {
            assert.equal(roots.get(size) ?? root, root, `${moment}: two heads of ${size}`);
            roots.set(size, root);
          }
          if (++seen !== lines) continue;
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          writer.kill('SIGKILL');
        }
      } finally {
        writer.kill('SIGKILL');
        await exit;
      }
    }
    assert.ok(largest >= 12);
  },
);
