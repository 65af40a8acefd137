/** What a publisher asks everybody to stop serving at once (design/index, "Retractions"): part of its records. */
import { type Digest, isDigest } from '../digest.ts';
import { InvalidNameError } from '../errors.ts';
import { isNormalized } from '../index-map/index-entry.ts';
import { limits } from '../limits.ts';
import { parseProjectName, type ProjectName } from '../project-name.ts';
import { isObject, readFields, recordFault } from './record-fields.ts';

/** A project's normalized name, or one file. No name has a colon, so the two cannot be mistaken for each other. */
export type RetractionSubject = ProjectName | `sha256:${Digest}`;

export interface Retraction {
  readonly subject: RetractionSubject;
  /** For people: one line, at most 200 bytes. */
  readonly reason: string;
  /** Milliseconds since 1970, UTC. */
  readonly since: number;
}

/** Who retracts everything is not listened to: beyond the limit none counts, and `ignored` says how many were not. */
export function retractionsInForce(retractions: readonly Retraction[]): {
  readonly inForce: readonly Retraction[];
  readonly ignored: number;
} {
  return retractions.length > limits.log.retractions
    ? { inForce: [], ignored: retractions.length }
    : { inForce: retractions, ignored: 0 };
}

/** Strictly ascending by subject. @throws InvalidLogError RECORD_MALFORMED */
export function readRetractions(value: unknown): Retraction[] {
  if (!Array.isArray(value)) return recordFault('RECORD_MALFORMED', 'has "retractions" that are no list');
  let before = '';
  return value.map((item: unknown) => {
    if (!isObject(item)) return recordFault('RECORD_MALFORMED', 'has a retraction that is no object');
    const fields = readFields(item);
    const subject = fields.text('subject', isSubject) as RetractionSubject;
    const reason = fields.text('reason', isReason);
    const since = fields.time('since');
    fields.end();
    if (subject <= before)
      recordFault('RECORD_MALFORMED', `has the retraction of ${subject} after that of ${before}`);
    before = subject;
    return { subject, reason, since };
  });
}

/**
 * As people write one: a project in any spelling, `sha256:` and a digest, or the digest alone. Undefined for what is none, and
 * for the name of a file, which would be read as a project's.
 */
export function parseRetractionSubject(text: string): RetractionSubject | undefined {
  const digest = text.replace(/^sha256:/i, '').toLowerCase();
  if (isDigest(digest)) return `sha256:${digest}`;
  if (/\.(whl|zip|tar\.[a-z0-9]+|tgz|egg|metadata)$/i.test(text)) return undefined;
  try {
    return parseProjectName(text);
  } catch (error) {
    if (error instanceof InvalidNameError) return undefined;
    throw error;
  }
}

/** What is wrong with the reason of a new one; undefined for a good one. */
export function reasonFault(reason: string): string | undefined {
  if (reason.trim() === '') return 'is empty: say why, people read it';
  return isReason(reason)
    ? undefined
    : `is no single line of plain text of at most ${limits.log.reasonBytes} bytes`;
}

function isSubject(text: string): boolean {
  return text.startsWith('sha256:') ? isDigest(text.slice('sha256:'.length)) : isNormalized(text);
}

/** It ends up in logs and on terminals. */
function isReason(text: string): boolean {
  return (
    Buffer.byteLength(text) <= limits.log.reasonBytes && !/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text)
  );
}
