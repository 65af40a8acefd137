/** The policy that a node lives by: where none is needed, and where none can do. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigurationError } from '../src/core/errors.ts';
import { loadPolicy } from '../src/load-policy.ts';
import { temporaryFolder } from './support/disk-store.ts';
import { signerNamed } from './support/some-proof.ts';

const refused =
  (message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ConfigurationError);
    assert.equal(error.fault, 'usage');
    assert.match(error.message, message);
    assert.match(error.fix, /fondue trust add/);
    return true;
  };

test('quorum mode needs a policy that names publishers; offline mode does without one that nobody named', async () => {
  await using folder = await temporaryFolder();
  const policy = join(folder.path, 'policy');
  const load = (mode: 'direct' | 'quorum' | 'offline', policyGiven = false) =>
    loadPolicy({ mode, policy, policyGiven });
  await assert.rejects(load('quorum'), refused(/there is no policy/));
  await assert.rejects(load('offline', true), refused(/there is no policy/));
  assert.equal(await load('offline'), undefined);
  assert.equal(await load('direct', true), undefined);
  await writeFile(policy, 'quorum none\n');
  await assert.rejects(load('quorum'), refused(/trusts no publisher/));
  assert.equal(await load('offline', true), undefined);
  const { text } = signerNamed('a.example/f', 1).key;
  await writeFile(policy, `log ${text}\nwitness a ${text}\nquorum a\n`);
  assert.equal((await load('quorum'))?.k, 1);
  assert.equal((await load('offline'))?.publishers[0]?.name, 'a');
  assert.equal(await load('direct'), undefined);
  await writeFile(policy, 'quorum everybody\n');
  await assert.rejects(load('offline'), /policy, line 1: names "everybody"/);
});
