/** What a person decided against publishers' word, as lines of a policy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../../../src/core/errors.ts';
import { editException, replaceKey } from '../../../src/core/log/edit-policy.ts';
import { formatPolicy, parsePolicy } from '../../../src/core/log/policy-file.ts';
import { policyOf } from '../../../src/core/log/policy.ts';
import { parseRetractionSubject } from '../../../src/core/log/retraction.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { signerNamed } from '../../support/some-proof.ts';

const parse = (text: string) => parsePolicy(Buffer.from(text), 'the policy');
const textOf = (file: ReturnType<typeof parse>): string => Buffer.from(formatPolicy(file)).toString();
const [alice, bob] = [signerNamed('a.example/f', 1).key.text, signerNamed('b.example/f', 2).key.text];
const POLICY = `# who, and why
log ${alice} https://a.example
log ${bob}
witness alice ${alice} https://a.example
witness b.example/f ${bob}
# both
group publishers 2 alice b.example/f
quorum publishers
`;
const digest = 'ab'.repeat(32);

test('overrides and pardons are read with the policy, and other readers see comments', () => {
  const text = `${POLICY}#fondue override numpy a false alarm, see the report\n#fondue override sha256:${digest}\n#fondue pardon sha256:${digest} a restored backup\n`;
  const policy = policyOf(parse(text));
  assert.deepEqual(policy.overrides, ['numpy', `sha256:${digest}`]);
  assert.deepEqual(policy.pardons, [digest]);
  assert.equal(policy.k, 2);
  assert.equal(textOf(parse(text)), text);
  assert.ok(
    text
      .split('\n')
      .slice(8)
      .every((line) => line === '' || line.startsWith('#')),
  );
  assert.deepEqual(policyOf(parse('quorum none\n#fondue override numpy\n')).overrides, ['numpy']);
});

test('a line that looks like one and is none is refused with its place: nothing is trusted in silence', () => {
  for (const [line, says] of [
    ['#fondue ovrride numpy', /line 9: begins with "#fondue ovrride"/],
    ['#fondue override', /line 9: overrides ""/],
    ['#fondue override numpy-2.0.tar.gz', /line 9: overrides "numpy-2.0.tar.gz", which cannot be retracted/],
    ['#fondue pardon alice', /line 9: pardons "alice", which is no digest/],
    ['#fondue', /line 9: begins with/],
  ] as const)
    assert.throws(() => parse(`${POLICY}${line}\n`), says);
  assert.deepEqual(policyOf(parse(`${POLICY}# fondue reads this\n`)).overrides, []);
});

test('an edit adds one line, and its undoing takes that line away', () => {
  const file = parse(POLICY);
  const override = { kind: 'override', subject: parseProjectName('numpy'), reason: 'a false alarm' } as const;
  const edited = editException(file, override, false);
  assert.equal(textOf(edited), `${POLICY}#fondue override numpy a false alarm\n`);
  assert.equal(textOf(editException(edited, override, true)), POLICY);
  assert.throws(() => editException(edited, override, false), /has that already/);
  assert.throws(() => editException(file, override, true), /has no line/);
  assert.throws(
    () => editException(file, { ...override, reason: 'two\nlines' }, false),
    (error) => error instanceof ConfigurationError && /one line/.test(error.message),
  );
});

test('a publisher that changed its key keeps its place, its name and its comments', () => {
  const next = signerNamed('a.example/f', 7).key.text;
  const edited = replaceKey(parse(POLICY), 'alice', next);
  assert.equal(textOf(edited), POLICY.replaceAll(alice, next));
  assert.throws(
    () => replaceKey(parse(POLICY), 'alice', signerNamed('c.example/f', 7).key.text),
    /another publisher/,
  );
  assert.throws(
    () => replaceKey(parse(POLICY), 'carol', next),
    /trusts alice, b\.example|trusts no publisher "carol"/,
  );
  assert.throws(() => replaceKey(parse(POLICY), 'alice', alice), /has this key already/);
});

test('a subject is a project in any spelling or a digest, and never the name of a file', () => {
  assert.equal(parseRetractionSubject('Zope.Interface'), 'zope-interface');
  assert.equal(parseRetractionSubject(digest.toUpperCase()), `sha256:${digest}`);
  assert.equal(parseRetractionSubject(`sha256:${digest}`), `sha256:${digest}`);
  for (const none of ['', 'two words', 'sha256:12', 'flask-3.0.0.tar.gz', 'flask-3.0.0-py3-none-any.whl'])
    assert.equal(parseRetractionSubject(none), undefined, none);
});
