/** `fondue key`, `fondue trust` and `fondue index verify`, as people run them. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeNameProof } from '../../src/core/log/name-proof.ts';
import { temporaryFolder } from '../support/disk-store.ts';
import { fondue, startNode } from '../support/node-process.ts';
import { evidenceOf, flask, pairOf, signerNamed } from '../support/some-proof.ts';

const vkey = (name: string, seed: number): string => signerNamed(name, seed).key.text;

test('a new key is for its owner alone, never overwritten, and its verifier key is all that is printed', async () => {
  await using folder = await temporaryFolder();
  const out = join(folder.path, 'publisher.key');
  const made = await fondue(['key', 'new', '--name', 'example.org/fondue', '--out', out]);
  assert.equal(made.exit, 0, made.stderr);
  assert.match(made.stdout, /^example\.org\/fondue\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\n$/);
  assert.equal((await stat(out)).mode & 0o777, 0o600);
  const secret = await readFile(out, 'utf8');
  assert.doesNotMatch(made.stdout + made.stderr, /PRIVATE/);
  const again = await fondue(['key', 'new', '--name', 'example.org/other', '--out', out]);
  assert.equal(again.exit, 1);
  assert.match(again.stderr, /never overwritten/);
  assert.equal(await readFile(out, 'utf8'), secret);
  const next = join(folder.path, 'next.key');
  const rotated = await fondue(['key', 'rotate', out, '--out', next]);
  assert.equal(rotated.exit, 0, rotated.stderr);
  assert.match(rotated.stdout, /^example\.org\/fondue\+/, 'of the same log');
  assert.notEqual(rotated.stdout, made.stdout);
  assert.match(rotated.stderr, /--next-key.*fondue trust replace/s);
  assert.doesNotMatch(rotated.stdout + rotated.stderr, /PRIVATE/);
  assert.equal((await fondue(['key', 'rotate', out, '--out', next])).exit, 1, 'never overwritten');
  const shown = await fondue(['key', 'show', out, '--json']);
  assert.equal((JSON.parse(shown.stdout) as { verifierKey: string }).verifierKey, made.stdout.trim());
  await chmod(out, 0o644);
  const open = await fondue(['key', 'show', out]);
  assert.equal(open.exit, 1);
  assert.match(open.stderr, /chmod 600/);
});

test('wrong usage of key and trust is exit code 2 and says what there is', async () => {
  await using folder = await temporaryFolder();
  const policy = ['--policy', join(folder.path, 'policy')];
  const cases: [string[], RegExp][] = [
    [['key'], /new.*show/s],
    [['key', 'frob'], /there is new, rotate, show/],
    [['key', 'rotate', 'x'], /--out/],
    [['key', 'new', '--out', 'x'], /--name/],
    [['key', 'new', '--name', 'two words', '--out', join(folder.path, 'k')], /two words/],
    [['trust'], /add.*list.*remove.*threshold/s],
    [['trust', 'add', 'nonsense', ...policy], /not a verifier key/],
    [['trust', 'add', vkey('a.example/f', 1).replace('+', '+0'), ...policy], /verifier key|ID/],
    [['trust', 'remove', 'nobody', ...policy], /trusts no publisher "nobody"/],
    [['trust', 'threshold', '2', ...policy], /add publishers first/],
    [['trust', 'threshold', 'two', ...policy], /not a number/],
    [['trust', 'replace', 'nobody', vkey('a.example/f', 1), ...policy], /trusts no publisher "nobody"/],
    [
      ['trust', 'override', 'flask-3.0.tar.gz', ...policy],
      /neither a project nor a file's SHA-256.*sha256:DIGEST/s,
    ],
    [['trust', 'override', 'flask', '--undo', ...policy], /has no line "#fondue override flask"/],
    [['trust', 'pardon', 'nobody', ...policy], /there is no policy .*fondue trust add/s],
    [['publish'], /--key FILE is missing.*fondue key new/s],
    [['publish', 'retract', 'flask'], /--reason/],
    [['publish', 'retract', 'a b', '--reason', 'x'], /neither a project/],
  ];
  const runs = await Promise.all(cases.map(([args]) => fondue(args)));
  for (const [at, run] of runs.entries()) {
    const [args, says] = cases[at]!;
    assert.equal(run.exit, 2, `${args.join(' ')}: ${run.stderr}`);
    assert.match(run.stderr, says, args.join(' '));
  }
  await assert.rejects(stat(policy[1]!), { code: 'ENOENT' });
});

test('trust edits a policy that keeps its comments and its place, and warns of what is risky', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'in-git');
  const link = join(folder.path, 'policy');
  await writeFile(file, '# who we believe, and why\nquorum none\n# the end\n', { mode: 0o640 });
  await chmod(file, 0o640);
  await symlink(file, link);
  const trust = (...args: string[]) => fondue(['trust', ...args, '--policy', link]);
  const first = await trust('add', vkey('a.example/f', 1));
  assert.equal(first.exit, 0, first.stderr);
  assert.match(first.stderr, /one publisher alone decides/);
  await trust('add', vkey('b.example/f', 2), '--name', 'bob');
  const both = await trust('threshold', '2');
  assert.match(both.stderr, /all 2 publishers must agree/);
  const third = await trust('add', vkey('c.example/f', 3));
  assert.equal(third.stderr, '');
  const text = await readFile(file, 'utf8');
  assert.match(text, /^# who we believe, and why\n/);
  assert.match(text, /# the end\n$/);
  assert.equal((await stat(file)).mode & 0o777, 0o640);
  const listed = JSON.parse((await trust('list', '--json')).stdout) as {
    threshold: number;
    publishers: { name: string; verifierKey: string }[];
  };
  assert.equal(listed.threshold, 2);
  assert.deepEqual(
    listed.publishers.map(({ name }) => name),
    ['a.example/f', 'bob', 'c.example/f'],
  );
  assert.equal((await trust('remove', 'bob')).exit, 0);
  assert.doesNotMatch(await readFile(file, 'utf8'), /bob|b\.example/);
  const tooFew = await trust('remove', 'a.example/f');
  assert.equal(tooFew.exit, 2);
  assert.match(tooFew.stderr, /lower the threshold first/);
});

test('a line that is not understood is named with its file, by trust and by the node, and nothing is changed', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'policy');
  const text = `log ${vkey('a.example/f', 1)}\nbelieve everybody\nquorum none\n`;
  await writeFile(file, text);
  const up = ['up', '--data-dir', join(folder.path, 'data'), '--gateway', '127.0.0.1:0', '--listen', 'none'];
  for (const args of [
    ['trust', 'list'],
    ['trust', 'add', vkey('b.example/f', 2)],
  ]) {
    const run = await fondue([...args, '--policy', file]);
    assert.equal(run.exit, 2);
    assert.match(run.stderr, new RegExp(`${file}, line 2: begins with "believe"`));
  }
  assert.equal(await readFile(file, 'utf8'), text);
  const mode = await fondue([...up, '--mode', 'frob']);
  assert.equal(mode.exit, 2);
  assert.match(mode.stderr, /direct, quorum, offline/);
});

test('a node starts in the folder that trust wrote the policy to', async () => {
  await using folder = await temporaryFolder();
  const dataDir = join(folder.path, 'new', 'data');
  const added = await fondue(['trust', 'add', vkey('a.example/f', 1), '--data-dir', dataDir]);
  assert.equal(added.exit, 0, added.stderr);
  await stat(join(dataDir, 'policy'));
  await using node = await startNode({
    upstream: 'http://127.0.0.1:9/simple/',
    dataDir,
  });
  const asked = await fondue(['index', 'status', '--data-dir', dataDir]);
  assert.equal(asked.exit, 1);
  assert.match(asked.stderr, /follows no publishers/);
  assert.equal(await node.stop(), 0);
});

test('a proof file is checked with nothing but a policy: proved, not proved, and no proof at all', async () => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, 'elsewhere'));
  const policy = join(folder.path, 'policy');
  const [alice, bob] = [signerNamed('a.example/f', 1), signerNamed('b.example/f', 2)];
  for (const { key } of [alice, bob]) await fondue(['trust', 'add', key.text, '--policy', policy]);
  await fondue(['trust', 'threshold', '2', '--policy', policy]);
  const observedAt = Date.now() - 90_000;
  const proof = join(folder.path, 'elsewhere', 'flask.proof');
  const verify = (...more: string[]) => fondue(['index', 'verify', proof, '--policy', policy, ...more]);
  const votes = [evidenceOf(alice, { observedAt }), evidenceOf(bob, { observedAt })];
  await writeFile(proof, encodeNameProof({ project: flask, votes }));
  const good = await verify();
  assert.equal(good.exit, 0, good.stderr);
  assert.match(good.stdout, /^flask: serial 7, page [0-9a-f]{64} \(4 bytes\)\n.*1 min \d+ s ago/);
  const json = JSON.parse((await verify('--json')).stdout) as Record<string, unknown>;
  assert.deepEqual(
    [json['proved'], json['belief'], json['digest'], json['threshold']],
    [true, 'page', pairOf({}).digest, 2],
  );
  await writeFile(proof, encodeNameProof({ project: flask, votes: votes.slice(1) }));
  const few = await verify();
  assert.equal(few.exit, 1);
  assert.match(few.stdout, /NOT PROVED: 1 votes, 2 must agree/);
  await writeFile(proof, 'not a proof');
  const bad = await verify();
  assert.equal(bad.exit, 1);
  assert.match(bad.stderr, /not a proof/);
  const nowhere = await fondue(['index', 'verify', proof, '--policy', join(folder.path, 'none')]);
  assert.equal(nowhere.exit, 2);
  assert.match(nowhere.stderr, /there is no policy .*fondue trust add/s);
});
