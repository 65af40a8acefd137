/**
 * Whether peers know this very log as another one: longer than it is here, or with other records. Then it was restored from
 * a backup, or a second publisher has its key; one more signature would prove misconduct to everybody.
 */
import { InvalidLogError } from '../../core/errors.ts';
import { verifyAnnouncement } from '../../core/log/announcement.ts';
import { recordDigest } from '../../core/log/record.ts';
import type { VerifierKey } from '../../core/log/verifier-key.ts';
import type { PublisherLog } from '../../store/publisher-log/publisher-log.ts';

/** Why this log must not go on; undefined when the announcement is one of its own, or of nobody's key of ours. */
export async function conflictWith(
  announcement: Uint8Array,
  log: Pick<PublisherLog, 'origin' | 'size' | 'record' | 'head'>,
  keys: readonly VerifierKey[],
): Promise<string | undefined> {
  let size: number;
  let digest: string;
  let root: string;
  try {
    const verified = verifyAnnouncement(announcement, keys);
    ({ size, root } = verified.checkpoint);
    digest = verified.digest;
  } catch (error) {
    if (error instanceof InvalidLogError) return undefined;
    throw error;
  }
  const cure =
    'This one was restored from a backup, or its key is in use elsewhere. Begin a new log in an empty folder with a new key, and have the policies that name it changed';
  if (size > log.size)
    return `peers have ${size} records of the log ${log.origin}, which has ${log.size} here. ${cure}`;
  const own = await log.record(size - 1);
  const { checkpoint } = log.head ?? {};
  const same =
    own !== undefined &&
    recordDigest(own) === digest &&
    (checkpoint?.size !== size || checkpoint.root === root);
  return same ? undefined : `peers have another record ${size - 1} of the log ${log.origin}. ${cure}`;
}
