import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, closeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { counted } from '../../src/cli/output.ts';
import { temporaryFolder } from '../support/disk-store.ts';
import { fondue } from '../support/node-process.ts';

const launcher = fileURLToPath(new URL('../../bin/fondue.js', import.meta.url));

test('a reader that leaves early is no failure, and no stack trace', async () => {
  const child = spawn(process.execPath, [launcher, 'env', '--gateway', '127.0.0.1:1'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  const [said, [exit]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.deepEqual([exit, said], [0, '']);
});

test(
  'an answer that cannot be written is said, and is not done',
  { skip: !existsSync('/dev/full') && 'no /dev/full here' },
  async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [launcher, 'env', '--gateway', '127.0.0.1:1'], {
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    const [said, [exit]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
    assert.equal(exit, 1);
    assert.match(said, /^fondue: standard output cannot be written: ENOSPC/);
    assert.doesNotMatch(said, /^ +at /m);
  },
);

test('wrong usage names the nearest flag and the way to help; a program gets one line of it', async () => {
  const { exit, stdout, stderr } = await fondue(['up', '--json', '--quotta', '1']);
  assert.equal(exit, 2);
  assert.match(stderr, /unknown option '--quotta'\n\(Did you mean --quota\?\)\n\(add --help/);
  const { message } = JSON.parse(stdout) as { message: string };
  assert.equal(message, "unknown option '--quotta' (Did you mean --quota?)");
});

test('lines for a gateway that nobody runs say so, beside what eval reads', async () => {
  await using folder = await temporaryFolder();
  const { exit, stdout, stderr } = await fondue(['env', '--data-dir', folder.path]);
  assert.equal(exit, 0);
  assert.match(stderr, /^fondue: no node runs on .*"fondue up" starts one\n$/);
  assert.match(stdout, /^export PIP_INDEX_URL='http:\/\/127\.0\.0\.1:8381\/simple\/'\n/);
  assert.doesNotMatch(stdout, /fondue/);
  const named = await fondue(['env', '--data-dir', folder.path, '--gateway', '127.0.0.1:1']);
  assert.equal(named.stderr, '');
});

test('a program that is not there is named in words', async () => {
  const { exit, stderr } = await fondue(['run', '--gateway', '127.0.0.1:1', '--', 'no-such-program']);
  assert.equal(exit, 1);
  assert.match(stderr, /^fondue: there is no program no-such-program\n/);
});

test('one is singular', () => {
  assert.deepEqual(
    [counted(0, 'file'), counted(1, 'file'), counted(2, 'file')],
    ['0 files', '1 file', '2 files'],
  );
});
