/** Proof files: what one says that a publisher said must be what it said, and a project that k did not speak of is not proved. */
import fc, { type Arbitrary } from 'fast-check';
import { InvalidContentError } from '../src/core/errors.ts';
import {
  checkNameProof,
  decodeNameProof,
  encodeNameProof,
  type NameEvidence,
} from '../src/core/log/name-proof.ts';
import type { Policy } from '../src/core/log/policy.ts';
import { parseProjectName } from '../src/core/project-name.ts';
import { evidenceOf, flask, signerNamed } from '../test/support/some-proof.ts';
import type { Reading, Target } from './fuzz-case.ts';

const NOW = Date.UTC(2026, 10, 22);
const signers = ['one.example', 'two.example', 'three.example'].map((name, at) => signerNamed(name, 40 + at));
const policy: Policy = {
  k: 2,
  publishers: signers.map(({ key }) => ({ name: key.name, key, url: undefined })),
};
const projects = [flask, parseProjectName('click')];

/** What each has signed of each project: maps of 65,536 bins take their time, so they are made once. */
const signed: NameEvidence[][] = projects.map((project) =>
  signers.flatMap((signer, at) => [
    evidenceOf(signer, { observedAt: NOW - 1000 - at, serial: 7 }, project),
    evidenceOf(signer, { observedAt: NOW - at, serial: 8, content: 'newer' }, project),
    evidenceOf(signer, { observedAt: NOW - 50, absent: true }, project),
  ]),
);

const proofs: Arbitrary<Uint8Array> = fc
  .nat(projects.length - 1)
  .chain((at) =>
    fc
      .subarray(signed[at] as NameEvidence[])
      .map((votes) => Buffer.from(encodeNameProof({ project: projects[at] ?? flask, votes }))),
  );

function readProof(bytes: Uint8Array): Reading {
  const proof = decodeNameProof(bytes);
  const { project, votes, belief } = checkNameProof(proof, policy, NOW);
  const said = votes.flatMap((vote) =>
    vote.kind === 'vote'
      ? [
          `${vote.publisher} at ${vote.observedAt} of ${project} in ${vote.upstream}: ${JSON.stringify(vote.candidate)}`,
        ]
      : [],
  );
  if (belief !== undefined && new Set(said.map((vote) => vote.split(' ', 1)[0])).size < policy.k)
    throw new Error('fewer than k publishers proved something');
  // JSON has many forms, and a file may be one of a person's: what is read is read again as the same.
  const of = encodeNameProof(proof);
  return {
    again: Buffer.from(encodeNameProof(decodeNameProof(Buffer.from(of)))),
    of: Buffer.from(of),
    claims: said,
  };
}

/** What was signed may be shown in any file that names the project. */
const truths = new Set(
  projects.flatMap((project, at) =>
    (signed[at] ?? []).flatMap((vote) => {
      const bytes = Buffer.from(encodeNameProof({ project, votes: [vote] }));
      return readProof(bytes).claims ?? [];
    }),
  ),
);

export const nameProofTarget: Target = {
  name: 'name-proof',
  format: 'json',
  refusals: [InvalidContentError],
  valid: proofs,
  read: readProof,
  isTrue: (claim) => truths.has(claim),
};
