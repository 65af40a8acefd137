/** Publishers with a map of one project and a signed record of it, and proofs of what they say. */
import { hash } from 'node:crypto';
import type { Digest } from '../../src/core/digest.ts';
import { EMPTY_BIN, encodeBin } from '../../src/core/index-map/index-bin.ts';
import { BINS, binNumber } from '../../src/core/index-map/index-entry.ts';
import { MerkleTree } from '../../src/core/index-map/merkle-tree.ts';
import { leafHash } from '../../src/core/index-map/tree-hash.ts';
import { formatCheckpoint } from '../../src/core/log/checkpoint.ts';
import type { NameEvidence } from '../../src/core/log/name-proof.ts';
import { signNote } from '../../src/core/log/note.ts';
import { encodeRecord, type IndexRecord, recordDigest } from '../../src/core/log/record.ts';
import { generateKeyPair, parseSignerKey, type Signer } from '../../src/core/log/signer-key.ts';
import { parseProjectName, type ProjectName } from '../../src/core/project-name.ts';
import { createTestTree } from './test-tree.ts';

export const flask = parseProjectName('flask');
const NOTHING = '0'.repeat(64) as Digest;

export function signerNamed(name: string, seed: number): Signer {
  const randomness = { bytes: (length: number) => new Uint8Array(length).fill(seed), float: () => 0 };
  return parseSignerKey(generateKeyPair(name, randomness).signerKey);
}

export interface Said {
  readonly serial?: number;
  /** What the page holds. */
  readonly content?: string;
  readonly observedAt: number;
  readonly absent?: boolean;
  readonly partial?: boolean;
  readonly record?: Partial<IndexRecord>;
  readonly stale?: Uint8Array;
  readonly scope?: Uint8Array;
}

export const pairOf = ({ serial = 7, content = 'page' }: Partial<Said>) => ({
  serial,
  digest: hash('sha256', content, 'hex') as Digest,
  length: content.length,
});

/** What the publisher's map says of `project` in its third record. */
export function evidenceOf(signer: Signer, said: Said, project: ProjectName = flask): NameEvidence {
  const entries = said.absent === true ? [] : [{ name: project, ...pairOf(said) }];
  const bin = encodeBin({ entries, partial: said.partial ?? false });
  const tree = MerkleTree.ofEqualLeaves(leafHash(EMPTY_BIN)).copy();
  const number = binNumber(project);
  tree.take(tree.plan(new Map([[number, leafHash(bin)]])));
  const record = encodeRecord({
    v: 1,
    upstream: 'https://pypi.org/simple/',
    fileOrigin: 'https://files.pythonhosted.org',
    format: 'json',
    scope: 'all',
    complete: true,
    seq: 2,
    signedAt: said.observedAt,
    observedAt: said.observedAt,
    serial: 7,
    apiVersion: '1.4',
    bins: BINS,
    count: entries.length,
    mapRoot: tree.root(),
    leaves: NOTHING,
    delta: null,
    stale: null,
    retractions: [],
    previous: NOTHING,
    ...said.record,
  });
  const log = createTestTree(2);
  log.add(recordDigest(record));
  const text = formatCheckpoint({ origin: signer.key.name, size: 3, root: log.root(), extensions: [] });
  const announcement = {
    checkpoint: signNote(text, [signer]),
    record,
    proof: log.proveInclusion(2),
  };
  const { stale, scope } = said;
  return { announcement, proof: { bin, path: tree.path(number) }, stale, scope };
}
