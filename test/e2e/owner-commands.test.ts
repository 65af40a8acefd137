/** What the owner of a node does with its files: `warm`, `pin`, `unpin`, `gc`, `verify`, with the node running and without. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/disk-store.ts';
import { download, fileUrl } from '../support/download.ts';
import { eventually } from '../support/eventually.ts';
import { startFakePypi } from '../support/fake-pypi/fake-pypi.ts';
import { type FakeFile, makeWheel } from '../support/fake-pypi/wheel.ts';
import { alterBlob, checkFolder, findBlob } from '../support/folder-check.ts';
import { fondue, type NodeProcess, startNode } from '../support/node-process.ts';

interface Outcome {
  readonly files: number;
  readonly bytes: number;
  readonly failures: readonly string[];
  readonly corrupt?: number;
  readonly repaired?: number;
}

const wheels = (...names: string[]): FakeFile[] =>
  names.map((name) => makeWheel({ name, extraBytes: 300_000 }));

/** `fondue ARGS --json`, which must end with `exit`. */
async function outcome(exit: number, ...args: string[]): Promise<Outcome> {
  const run = await fondue([...args, '--json']);
  assert.equal(run.exit, exit, `fondue ${args.join(' ')}: ${run.stdout}${run.stderr}`);
  return JSON.parse(run.stdout) as Outcome;
}

async function blobsOf(dataDir: string): Promise<string[]> {
  return [...(await checkFolder(dataDir)).blobs].sort();
}

async function assertServed(node: NodeProcess, file: FakeFile): Promise<void> {
  const answer = await download(fileUrl(node.ready.gateway, file));
  assert.deepEqual([answer.status, answer.sha256], [200, file.sha256], file.filename);
}

test('beside a running node: what is warmed is there, what is pinned stays, the rest makes room', async () => {
  await using folder = await temporaryFolder();
  const [pinned, warmed, ...later] = wheels('pinned', 'warmed', 'later-a', 'later-b', 'later-c') as [
    FakeFile,
    FakeFile,
    ...FakeFile[],
  ];
  const older = makeWheel({ name: 'warmed', version: '0.9', extraBytes: 300_000 });
  await using pypi = await startFakePypi({ files: [pinned, warmed, older, ...later] });
  await using node = await startNode({ upstream: pypi.url, args: ['--no-mdns', '--quota', '1MB'] });
  const at = ['--data-dir', node.ready.dataDir];

  const list = join(folder.path, 'requirements.txt');
  await writeFile(
    list,
    `# what we use\nPinned==1.0 \\\n    --hash=sha256:${pinned.sha256}\nwarmed\n-e ./here\n`,
  );
  const run = await fondue(['warm', list, ...at]);
  assert.equal(run.exit, 0, run.stderr);
  assert.match(run.stdout, /^fetched 2 files, \d+(\.\d+)? kB\n$/);
  assert.match(run.stderr, /requirements\.txt: .*\.\/here/, 'what names no file is told');
  assert.match(run.stderr, /^[12]\/2 files: /m);
  // oxlint-disable-next-line no-control-regex -- colours and bars are for terminals
  assert.doesNotMatch(run.stderr, /[\r\u001b]/);
  assert.deepEqual(await blobsOf(node.ready.dataDir), [pinned.sha256, warmed.sha256].sort());
  const missing = await outcome(1, 'warm', 'no-such-thing', 'later-a==7.0', ...at);
  assert.equal(missing.files, 0);
  assert.match(missing.failures.join('\n'), /no-such-thing[^]*later-a|later-a[^]*no-such-thing/);

  assert.deepEqual(await outcome(0, 'pin', 'pinned==1.0', ...at), {
    files: 1,
    bytes: pinned.size,
    failures: [],
  });
  for (const file of later) await assertServed(node, file);
  await eventually('the quota holds, the pin too', async () => {
    const blobs = await blobsOf(node.ready.dataDir);
    return blobs.length === 3 && blobs.includes(pinned.sha256) && !blobs.includes(warmed.sha256);
  });
  await pypi.files.down();
  await assertServed(node, pinned);

  const freed = await outcome(0, 'gc', '--to', '1kB', ...at);
  assert.deepEqual([freed.files, freed.failures], [2, []]);
  assert.deepEqual(await blobsOf(node.ready.dataDir), [pinned.sha256]);
  await assertServed(node, pinned);
  await outcome(0, 'unpin', pinned.sha256, ...at);
  assert.equal((await outcome(0, 'gc', '--to', '1kB', ...at)).files, 1);
  assert.deepEqual(await blobsOf(node.ready.dataDir), []);
  const wrong = await fondue(['gc', '--to', 'everything', ...at]);
  assert.equal(wrong.exit, 2);
  assert.match(wrong.stderr, /--to: "everything" is not a size/);
});

test('beside a running node verify finds what was altered or taken away, mends it, and says what it cannot', async () => {
  const files = wheels('altered', 'gone', 'sound');
  const [altered, gone] = files as [FakeFile, FakeFile];
  await using pypi = await startFakePypi({ files });
  await using node = await startNode({ upstream: pypi.url, args: ['--no-mdns'] });
  const { dataDir } = node.ready;
  const at = ['--data-dir', dataDir];
  await outcome(0, 'warm', 'altered', 'gone', 'sound', ...at);
  assert.deepEqual(await outcome(0, 'verify', ...at), {
    files: 3,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    failures: [],
    corrupt: 0,
    repaired: 0,
  });
  await alterBlob(dataDir, altered.sha256);
  await rm(await findBlob(dataDir, gone.sha256));
  const mended = await outcome(0, 'verify', ...at);
  assert.deepEqual([mended.files, mended.corrupt, mended.repaired], [1, 1, 2]);
  assert.deepEqual(await blobsOf(dataDir), files.map(({ sha256 }) => sha256).sort());

  // With nobody to ask it need not wait for anybody.
  assert.equal(await node.stop(), 0);
  await alterBlob(dataDir, altered.sha256);
  const alone = ['--mode', 'offline', '--listen', 'none', '--no-mdns'];
  const began = performance.now();
  const left = await fondue(['verify', ...at, ...alone]);
  assert.ok(performance.now() - began < 30_000, 'it waited for somebody');
  assert.equal(left.exit, 1, 'something stays bad');
  assert.match(left.stderr, new RegExp(`not done: ${altered.sha256}: its bytes had changed`));
  assert.match(left.stdout, /^verified 2 files/);
  assert.ok(!(await blobsOf(dataDir)).includes(altered.sha256), 'it is out of service');
});

test('without a node the commands open the folder themselves, and leave it as a node wants it', async () => {
  await using folder = await temporaryFolder();
  const files = wheels('from-uv', 'from-pylock', 'altered');
  const [ofUv, ofPylock, altered] = files as [FakeFile, FakeFile, FakeFile];
  await using pypi = await startFakePypi({ files });
  const dataDir = join(folder.path, 'data');
  // prettier-ignore
  const at = ['--data-dir', dataDir, '--upstream', pypi.url, '--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns'];
  // The URLs of a lock lead to the gateway that made it, which is nowhere now.
  const url = (file: FakeFile): string => fileUrl('http://127.0.0.1:9', file);
  const [uvLock, pylock] = ['uv.lock', 'pylock.toml'].map((name) => join(folder.path, name)) as [
    string,
    string,
  ];
  await writeFile(
    uvLock,
    `version = 1\nrequires-python = ">=3.11"\n\n[[package]]\nname = "from-uv"\nversion = "1.0"\n` +
      `source = { registry = "http://127.0.0.1:9/simple/" }\n` +
      `wheels = [{ url = "${url(ofUv)}", hash = "sha256:${ofUv.sha256}", size = ${ofUv.size} }]\n`,
  );
  await writeFile(
    pylock,
    `lock-version = "1.0"\ncreated-by = "test"\n\n[[packages]]\nname = "from-pylock"\nversion = "1.0"\n` +
      `wheels = [{ url = "${url(ofPylock)}", hashes = { sha256 = "${ofPylock.sha256}" } }]\n`,
  );
  const warmed = await outcome(0, 'warm', uvLock, pylock, 'altered==1.0', ...at);
  assert.deepEqual([warmed.files, warmed.failures], [3, []]);
  assert.deepEqual(await blobsOf(dataDir), files.map(({ sha256 }) => sha256).sort());

  await alterBlob(dataDir, altered.sha256);
  const mended = await outcome(0, 'verify', ...at);
  assert.deepEqual([mended.corrupt, mended.repaired], [1, 1]);
  await outcome(0, 'pin', uvLock, ...at);
  assert.equal((await outcome(0, 'gc', '--to', '1kB', '--data-dir', dataDir)).files, 2);
  assert.deepEqual(await blobsOf(dataDir), [ofUv.sha256]);

  await pypi.down();
  // prettier-ignore
  const lost = await outcome(1, 'warm', 'altered==1.0', '--data-dir', dataDir, '--upstream', pypi.url, '--mode', 'offline', '--listen',
    'none', '--no-mdns');
  assert.match(lost.failures.join(), /altered/);
  await using node = await startNode({ upstream: pypi.url, dataDir, args: ['--no-mdns'] });
  await assertServed(node, ofUv);
  const nothing = await fondue(['warm', join(folder.path, 'none.txt'), '--data-dir', dataDir]);
  assert.equal(nothing.exit, 2);
  assert.match(nothing.stderr, /none\.txt cannot be read/);
});
