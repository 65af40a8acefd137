/**
 * A file that proves, with nothing but a policy, what publishers said of one project: for each of them its signed checkpoint,
 * the record, the record's inclusion, and the map's proof for the name. JSON, so that it can be read and mailed:
 *
 *     {"fondueProof": 1, "project": NAME, "votes": [{"checkpoint": note, "record": RFC 8785 text, "inclusion": [base64...],
 *      "path": base64 of 16 hashes, "bin": base64 of CBOR, "stale": [names...]?, "scope": [names...]?}]}
 *
 * Must always hold: what counts as a vote here would count at a node that has just seen these heads and no others.
 */
import { agreed, believe, type Belief } from '../belief/believe.ts';
import type { Candidate, Vote } from '../belief/candidate.ts';
import { FondueError, InvalidContentError, InvalidNameError } from '../errors.ts';
import { limits } from '../limits.ts';
import { type MapProof, verifyProof } from '../index-map/map-proof.ts';
import { decodeNames, digestOfNames } from '../index-map/name-list.ts';
import { parseProjectName, type ProjectName } from '../project-name.ts';
import { type Announcement, verifyHead } from './announcement.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import type { Policy } from './policy.ts';
import { type IndexRecord, isKnownRecord } from './record.ts';

/** What one publisher's signed map says of a name. */
export interface NameEvidence {
  readonly announcement: Announcement;
  readonly proof: MapProof;
  /** The lists of names that the record's `stale` and `scope` are the digests of, encoded. */
  readonly stale?: Uint8Array | undefined;
  readonly scope?: Uint8Array | undefined;
}

export interface NameProof {
  readonly project: ProjectName;
  readonly votes: readonly NameEvidence[];
}

/** One publisher's part, judged. */
export type JudgedVote =
  | {
      readonly kind: 'vote';
      readonly publisher: string;
      readonly candidate: Candidate;
      readonly seq: number;
      readonly observedAt: number;
      readonly upstream: string;
    }
  | {
      readonly kind: 'none';
      readonly publisher: string | undefined;
      readonly code: string;
      readonly reason: string;
    };

export interface ProofVerdict {
  readonly project: ProjectName;
  readonly k: number;
  readonly votes: readonly JudgedVote[];
  /** What the policy lets one believe from this file; undefined: too few agree. */
  readonly belief: (Pick<Belief, 'choice' | 'at'> & { readonly upstream: string }) | undefined;
}

const VERSION = 1;

export function encodeNameProof({ project, votes }: NameProof): string {
  const shown = votes.map(({ announcement, proof, stale, scope }) => ({
    checkpoint: Buffer.from(announcement.checkpoint).toString(),
    record: Buffer.from(announcement.record).toString(),
    inclusion: announcement.proof.map(encodeBase64),
    path: encodeBase64(proof.path),
    bin: encodeBase64(proof.bin),
    ...(stale === undefined ? {} : { stale: decodeNames(stale) }),
    ...(scope === undefined ? {} : { scope: decodeNames(scope) }),
  }));
  return `${JSON.stringify({ fondueProof: VERSION, project, votes: shown }, undefined, 2)}\n`;
}

/** Says nothing about what it proves. @throws InvalidContentError */
export function decodeNameProof(bytes: Uint8Array): NameProof {
  if (bytes.length > limits.log.nameProofBytes) refuse(`has more than ${limits.log.nameProofBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InvalidContentError(`not a proof: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(value) || value['fondueProof'] !== VERSION)
    return refuse(`does not begin with "fondueProof": ${VERSION}, as \`fondue index prove\` writes it`);
  const { project, votes } = value;
  if (!Array.isArray(votes) || votes.length > limits.log.policyItems) return refuse('has no list of votes');
  return { project: readProject(project), votes: votes.map(readEvidence) };
}

/** @param now of the reader, ms: what was seen later than that is no vote. */
export function checkNameProof(proof: NameProof, policy: Policy, now: number): ProofVerdict {
  const votes = proof.votes.map((evidence) => judge(proof.project, evidence, policy, now));
  const { project } = proof;
  const beliefs = [...byIndex(votes)].flatMap(([upstream, ballot]) => {
    const belief = policy.k === 0 ? undefined : believe([...ballot.values()], undefined, policy.k);
    // Two answers with k votes each: a node would have the one that came first, a file says nothing of that.
    if (belief === undefined || agreed([...ballot.values()], policy.k).length > 1) return [];
    return [{ choice: belief.choice, at: belief.at, upstream }];
  });
  return { project, k: policy.k, votes, belief: beliefs.length === 1 ? beliefs[0] : undefined };
}

function judge(project: ProjectName, evidence: NameEvidence, policy: Policy, now: number): JudgedVote {
  let publisher: string | undefined;
  const none = (code: string, reason: string): JudgedVote => ({ kind: 'none', publisher, code, reason });
  try {
    const keys = policy.publishers.map(({ key }) => key);
    const { key, record, checkpoint } = verifyHead(evidence.announcement, keys);
    publisher = policy.publishers.find((one) => one.key.text === key.text)?.name ?? key.name;
    if (!isKnownRecord(record)) return none('RECORD_UNKNOWN', `its record has version ${record.v}`);
    const answer = verifyProof(record.mapRoot, project, evidence.proof);
    if (record.observedAt > now + limits.belief.clockSlack)
      return none('RECORD_AHEAD', 'its record is from the future: one of the two clocks is wrong');
    if (names(evidence.stale, record.stale, 'stale')?.has(project) === true)
      return none('ENTRY_STALE', 'it marked its own entry as out of date');
    if (answer === 'unknown') return none('BIN_PARTIAL', 'its bin is too full to say');
    if (!covers(project, record, evidence))
      return none(
        answer === 'absent' ? 'NO_ABSENCE' : 'OUT_OF_SCOPE',
        'the project is none of those it looks at',
      );
    if (answer === 'absent' && !record.complete) return none('NO_ABSENCE', 'it has not read everything yet');
    const candidate: Candidate =
      answer === 'absent' ? answer : { serial: answer.serial, digest: answer.digest, length: answer.length };
    const { observedAt, upstream, format } = record;
    return {
      kind: 'vote',
      publisher,
      candidate,
      seq: checkpoint.size - 1,
      observedAt: Math.min(observedAt, now),
      upstream: format === 'json' ? upstream : `${upstream} (${format})`,
    };
  } catch (error) {
    if (!(error instanceof FondueError)) throw error;
    return none(error.code, error.message);
  }
}

function covers(project: ProjectName, { scope }: IndexRecord, evidence: NameEvidence): boolean {
  return scope === 'all' || names(evidence.scope, scope, 'scope')?.has(project) === true;
}

/** @throws InvalidContentError when the list is missing or another one */
function names(
  bytes: Uint8Array | undefined,
  digest: string | null,
  what: string,
): ReadonlySet<string> | undefined {
  if (digest === null) return undefined;
  if (bytes === undefined || digestOfNames(bytes) !== digest)
    throw new InvalidContentError(`the list "${what}" that its record names is not in the proof`);
  return new Set(decodeNames(bytes));
}

/** Different upstreams and formats never vote together; a publisher counts once, with its newest. */
function byIndex(votes: readonly JudgedVote[]): Map<string, Map<string, Vote[]>> {
  const found = new Map<string, Map<string, Vote[]>>();
  for (const vote of votes) {
    if (vote.kind === 'none') continue;
    const ballot = found.get(vote.upstream) ?? new Map<string, Vote[]>();
    const { publisher, candidate, observedAt: at } = vote;
    ballot.set(publisher, [...(ballot.get(publisher) ?? []), { candidate, at }]);
    found.set(vote.upstream, ballot);
  }
  return found;
}

function readProject(value: unknown): ProjectName {
  try {
    const project = parseProjectName(String(value));
    if (project === value) return project;
  } catch (error) {
    if (!(error instanceof InvalidNameError)) throw error;
  }
  return refuse('names no project');
}

function readEvidence(value: unknown): NameEvidence {
  if (!isObject(value)) return refuse('has a vote that is no object');
  const { checkpoint, record, inclusion, path, bin, stale, scope } = value;
  if (typeof checkpoint !== 'string' || typeof record !== 'string' || !Array.isArray(inclusion))
    return refuse('has a vote without checkpoint, record or inclusion');
  const announcement = {
    checkpoint: Buffer.from(checkpoint),
    record: Buffer.from(record),
    proof: inclusion.map((hash: unknown) => readBytes(hash)),
  };
  return {
    announcement,
    proof: { path: readBytes(path), bin: readBytes(bin) },
    stale: readNames(stale),
    scope: readNames(scope),
  };
}

function readBytes(value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? decodeBase64(value) : undefined;
  return bytes ?? refuse('has something else where base64 belongs');
}

function readNames(value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string' && /^[a-z0-9-]+$/.test(name)))
    return refuse('has a list of names that is none');
  return Buffer.from(value.map((name) => `${name as string}\n`).join(''));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(what: string): never {
  throw new InvalidContentError(`not a proof: the file ${what}`);
}
