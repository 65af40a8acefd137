/** Proof files: what counts as a vote in one, and that nothing can be changed in one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FondueError } from '../../../src/core/errors.ts';
import { digestOfNames, encodeNames } from '../../../src/core/index-map/name-list.ts';
import {
  checkNameProof,
  decodeNameProof,
  encodeNameProof,
  type NameEvidence,
  type ProofVerdict,
} from '../../../src/core/log/name-proof.ts';
import type { Policy } from '../../../src/core/log/policy.ts';
import { parseProjectName } from '../../../src/core/project-name.ts';
import { evidenceOf, flask, pairOf, type Said, signerNamed } from '../../support/some-proof.ts';

const signers = ['a', 'b', 'c'].map((name, at) => signerNamed(`${name}.example/fondue`, at + 1));
const [alice, bob, carol] = signers as [(typeof signers)[0], (typeof signers)[0], (typeof signers)[0]];
const mallory = signerNamed('m.example/fondue', 9);
const NOW = Date.UTC(2026, 10, 22);
const publishers = signers.map(({ key }) => ({ name: key.name.slice(0, 1), key, url: undefined }));
const policy = (k: number): Policy => ({ k, publishers });
const said = (more: Partial<Said> = {}): Said => ({ observedAt: NOW - 60_000, ...more });

const check = (votes: NameEvidence[], k = 2): ProofVerdict =>
  checkNameProof(decodeNameProof(Buffer.from(encodeNameProof({ project: flask, votes }))), policy(k), NOW);
const codes = ({ votes }: ProofVerdict): string[] =>
  votes.map((vote) => (vote.kind === 'vote' ? 'vote' : vote.code));

test('k votes for one pair prove it, as old as the k-th newest', () => {
  const verdict = check([
    evidenceOf(alice, said({ observedAt: NOW - 90_000 })),
    evidenceOf(bob, said()),
    evidenceOf(carol, said({ content: 'other' })),
  ]);
  assert.deepEqual(verdict.belief, {
    choice: pairOf({}),
    at: NOW - 90_000,
    upstream: 'https://pypi.org/simple/',
  });
  assert.deepEqual(codes(verdict), ['vote', 'vote', 'vote']);
});

test('fewer than k prove nothing; one publisher counts once; a stranger not at all; nobody is trusted by an empty policy', () => {
  assert.equal(check([evidenceOf(alice, said())]).belief, undefined);
  assert.equal(check([evidenceOf(alice, said()), evidenceOf(alice, said())]).belief, undefined);
  const strange = check([evidenceOf(alice, said()), evidenceOf(mallory, said())]);
  assert.deepEqual([codes(strange), strange.belief], [['vote', 'NOTE_UNKNOWN_KEY'], undefined]);
  assert.equal(check([evidenceOf(alice, said()), evidenceOf(bob, said())], 0).belief, undefined);
});

test('absence needs k complete records whose scope covers the name', () => {
  const absent = said({ absent: true });
  const proved = check([evidenceOf(alice, absent), evidenceOf(bob, absent)]);
  assert.equal(proved.belief?.choice, 'absent');
  const half = evidenceOf(bob, said({ absent: true, record: { complete: false } }));
  assert.deepEqual(codes(check([evidenceOf(alice, absent), half])), ['vote', 'NO_ABSENCE']);
  const scoped = (...names: string[]): NameEvidence => {
    const scope = encodeNames(names.map((name) => parseProjectName(name)));
    return evidenceOf(bob, said({ absent: true, scope, record: { scope: digestOfNames(scope) } }));
  };
  assert.equal(check([evidenceOf(alice, absent), scoped('flask', 'pip')]).belief?.choice, 'absent');
  assert.deepEqual(codes(check([evidenceOf(alice, absent), scoped('pip')])), ['vote', 'NO_ABSENCE']);
  assert.deepEqual(codes(check([evidenceOf(bob, said({ absent: true, partial: true }))])), ['BIN_PARTIAL']);
});

test('a publisher is no vote for a page that its scope does not cover, and the list cannot be left out', () => {
  const scoped = (...names: string[]): NameEvidence => {
    const scope = encodeNames(names.map((name) => parseProjectName(name)));
    return evidenceOf(bob, said({ scope, record: { scope: digestOfNames(scope) } }));
  };
  assert.deepEqual(check([evidenceOf(alice, said()), scoped('flask', 'pip')]).belief?.choice, pairOf({}));
  assert.deepEqual(codes(check([evidenceOf(alice, said()), scoped('pip')])), ['vote', 'OUT_OF_SCOPE']);
  const without = evidenceOf(bob, said({ record: { scope: digestOfNames(encodeNames([flask])) } }));
  assert.deepEqual(codes(check([without])), ['INVALID_CONTENT']);
});

test('an entry that its publisher marked as stale is no vote, and the list cannot be left out', () => {
  const stale = encodeNames([flask]);
  const record = { stale: digestOfNames(stale) };
  assert.deepEqual(codes(check([evidenceOf(alice, said({ stale, record }))])), ['ENTRY_STALE']);
  assert.deepEqual(codes(check([evidenceOf(alice, said({ record }))])), ['INVALID_CONTENT']);
  const other = encodeNames([parseProjectName('pip')]);
  assert.deepEqual(codes(check([evidenceOf(alice, said({ stale: other, record }))])), ['INVALID_CONTENT']);
});

test('records from the future, other indexes and two answers with k votes each prove nothing', () => {
  const ahead = evidenceOf(alice, said({ observedAt: NOW + 60_000 }));
  assert.deepEqual(codes(check([ahead])), ['RECORD_AHEAD']);
  const elsewhere = evidenceOf(bob, said({ record: { upstream: 'https://test.pypi.org/simple/' } }));
  assert.equal(check([evidenceOf(alice, said()), elsewhere]).belief, undefined);
  const html = evidenceOf(bob, said({ record: { format: 'html' } }));
  assert.equal(check([evidenceOf(alice, said()), html]).belief, undefined);
  const split = [evidenceOf(alice, said()), evidenceOf(bob, said({ content: 'other' }))];
  assert.equal(check(split, 1).belief, undefined);
});

test('the proof of one project proves nothing of another', () => {
  const text = encodeNameProof({
    project: flask,
    votes: [evidenceOf(alice, said()), evidenceOf(bob, said())],
  });
  const other = decodeNameProof(Buffer.from(text.replace('"flask"', '"django"')));
  const verdict = checkNameProof(other, policy(2), NOW);
  assert.deepEqual(codes(verdict), ['PROOF_WRONG_ROOT', 'PROOF_WRONG_ROOT']);
  assert.equal(verdict.belief, undefined);
});

test('whatever character of a proof is changed, it proves the same or nothing, and never crashes', () => {
  const text = encodeNameProof({
    project: flask,
    votes: [evidenceOf(alice, said()), evidenceOf(bob, said())],
  });
  const proved = check([evidenceOf(alice, said()), evidenceOf(bob, said())]).belief;
  fc.assert(
    fc.property(
      fc.nat(text.length - 1),
      fc.constantFrom('a', 'Z', '0', '"', '\\', '{', ']', ',', '\n', '\u0000'),
      (at, character) => {
        const altered = text.slice(0, at) + character + text.slice(at + 1);
        let verdict: ProofVerdict;
        try {
          verdict = checkNameProof(decodeNameProof(Buffer.from(altered)), policy(2), NOW);
        } catch (error) {
          assert.ok(error instanceof FondueError, String(error));
          return;
        }
        if (verdict.belief !== undefined)
          assert.deepEqual([verdict.project, verdict.belief], [flask, proved]);
      },
    ),
    { numRuns: 400 },
  );
});

test('what is no proof is refused in words', () => {
  for (const text of [
    '',
    '{}',
    '[]',
    'null',
    '{"fondueProof":2}',
    '{"fondueProof":1,"project":"Flask","votes":[]}',
  ])
    assert.throws(() => decodeNameProof(Buffer.from(text)), /not a proof/, text);
});
