/**
 * What a policy file means here: some publishers, of which k must agree. The quorum is one witness or one group of witnesses,
 * and each of them is a log too: a publisher's vote is what its log says, where the format thinks of cosignatures.
 */
import type { Digest } from '../digest.ts';
import { isLogKey, type PolicyFile, type PolicyGroup, policyFault } from './policy-file.ts';
import type { RetractionSubject } from './retraction.ts';
import type { VerifierKey } from './verifier-key.ts';

export interface PolicyPublisher {
  readonly name: string;
  readonly key: VerifierKey;
  readonly url: string | undefined;
}

export interface Policy {
  /** How many must agree; 0 where the quorum is `none`. */
  readonly k: number;
  readonly publishers: readonly PolicyPublisher[];
  /** Retractions that are not heeded here: names, or `sha256:` and a digest. */
  readonly overrides?: readonly RetractionSubject[];
  /** Digests of proofs of misconduct that a person forgave. */
  readonly pardons?: readonly Digest[];
}

/** @throws ConfigurationError, with file and line, when it is valid but not a set of publishers */
export function policyOf(file: PolicyFile): Policy {
  const exceptions = {
    overrides: file.exceptions.flatMap((one) => (one.kind === 'override' ? [one.subject] : [])),
    pardons: file.exceptions.flatMap((one) => (one.kind === 'pardon' ? [one.proof] : [])),
  };
  if (file.quorum.name === 'none') return { k: 0, publishers: [], ...exceptions };
  const group = quorumGroup(file);
  const publishers = group.members.map((name) => {
    const witness = file.witnesses.find((one) => one.name === name);
    if (witness === undefined)
      return policyFault(
        file.source,
        group.line,
        `"${name}" is a group in the group ${group.name}: publishers are counted, not groups of them`,
        'list the publishers themselves in one group',
      );
    if (!file.logs.some(({ key }) => key.text === witness.key.text))
      policyFault(
        file.source,
        witness.line,
        `${name} is in the quorum and has no log with this key, so it could never vote`,
        `add the line \`log ${witness.key.text}\``,
      );
    if (!isLogKey(witness.key))
      policyFault(
        file.source,
        witness.line,
        `the key of ${name} has algorithm ${witness.key.algorithm}, which this version cannot verify`,
        'take it out of the group, or use a newer fondue',
      );
    return { name, key: witness.key, url: witness.url };
  });
  const names = new Map<string, string>();
  for (const { name, key } of publishers) {
    const other = names.get(key.name);
    if (other !== undefined)
      policyFault(
        file.source,
        group.line,
        `${other} and ${name} are keys of one log, ${key.name}: one publisher has one vote`,
        'take the older key out of the group',
      );
    names.set(key.name, name);
  }
  return { k: group.threshold, publishers, ...exceptions };
}

/** Whether two policies say the same; comments and other lines of their files are not part of it. */
export function samePolicy(a: Policy, b: Policy): boolean {
  return meaningOf(a) === meaningOf(b);
}

function meaningOf({ k, publishers, overrides = [], pardons = [] }: Policy): string {
  const named = publishers.map(({ name, key, url }) => [name, key.text, url ?? null]);
  return JSON.stringify([k, named, overrides, pardons]);
}

/** The group that the quorum names, or a witness as a group of one. */
export function quorumGroup(file: PolicyFile): PolicyGroup {
  const { name, line } = file.quorum;
  return file.groups.find((one) => one.name === name) ?? { name, threshold: 1, members: [name], line };
}

/** What a person should know of k among n publishers before trusting it; empty when there is nothing to say. */
export function policyWarnings(k: number, n: number): string[] {
  if (n === 0) return ['no publisher is trusted: the signed index cannot be used'];
  const warnings: string[] = [];
  if (k === 1)
    warnings.push(
      'one publisher alone decides: whoever has its key can make every file that you install theirs',
    );
  if (k === n && n > 1)
    warnings.push(`all ${n} publishers must agree: when one of them stops, the index goes stale with it`);
  if (2 * k <= n && k > 1)
    warnings.push(`${k} of ${n} is no majority: two groups of publishers can each be believed, and disagree`);
  return warnings;
}
