/**
 * A publisher's record: what it saw of the upstream at a moment, as RFC 8785 JSON. The leaf of its log is 0x00 and these
 * bytes, so the record's blob digest is its leaf hash. Always true of a record that was read: every field is of its type and
 * range, there are no others, and its bytes are the only ones for what it says.
 */
import canonicalize from 'canonicalize';
import { type Digest, digestFromBytes, isDigest } from '../digest.ts';
import { BINS } from '../index-map/index-entry.ts';
import { leafHash } from '../index-map/tree-hash.ts';
import { limits } from '../limits.ts';
import { isObject, readFields, recordFault } from './record-fields.ts';
import { readRetractions, type Retraction } from './retraction.ts';
import { algorithms, parseVerifierKey } from './verifier-key.ts';

export const RECORD_VERSION = 1;

export interface IndexRecord {
  readonly v: typeof RECORD_VERSION;
  /** Of the simple index: lower-case host, a slash at the end. */
  readonly upstream: string;
  /** Scheme, host and port whose URLs canonical pages reduce to their paths. */
  readonly fileOrigin: string;
  readonly format: 'json' | 'html';
  /** Everything, or the digest of the sorted names that are looked at. */
  readonly scope: 'all' | Digest;
  /** False until the first import is done: then what the map lacks is no vote for absence. */
  readonly complete: boolean;
  /** The leaf's index. */
  readonly seq: number;
  /** Milliseconds since 1970, UTC: when it was signed, and when the list was last read successfully. */
  readonly signedAt: number;
  readonly observedAt: number;
  /** Of the list; 0 where the upstream has none. */
  readonly serial: number;
  /** Such as "1.4"; null where the upstream says none. */
  readonly apiVersion: string | null;
  readonly bins: typeof BINS;
  /** Names in the map. */
  readonly count: number;
  readonly mapRoot: Digest;
  /** SHA-256 of the map's 2 MiB of leaf hashes. */
  readonly leaves: Digest;
  /** What changed since the record before; null: compare the leaves. */
  readonly delta: Digest | null;
  /** Sorted names that are no votes; null: none. */
  readonly stale: Digest | null;
  /** By subject, ascending. All of them are ignored when there are too many: {@link retractionsInForce}. */
  readonly retractions: readonly Retraction[];
  /** Leaf hash of the record before; null in the first. */
  readonly previous: Digest | null;
  /** The verifier key that takes over; both sign for a while (design/index, "Rotation"). */
  readonly successor?: string;
}

/** A record of a version that this program does not know: no vote, but its log is followed. */
export interface UnknownRecord {
  readonly v: number;
}

/** The leaf hash, which is the digest of the record's blob. */
export function recordDigest(bytes: Uint8Array): Digest {
  return digestFromBytes(leafHash(bytes));
}

export function isKnownRecord(record: IndexRecord | UnknownRecord): record is IndexRecord {
  return record.v === RECORD_VERSION;
}

/** @throws InvalidLogError RECORD_* for what {@link decodeRecord} would refuse: nothing is signed that others cannot read */
export function encodeRecord(record: IndexRecord): Uint8Array {
  const bytes = Buffer.from(canonicalize(record) ?? '');
  decodeRecord(bytes, record.seq);
  return bytes;
}

/** @throws InvalidLogError RECORD_TOO_LARGE, RECORD_MALFORMED, RECORD_NOT_CANONICAL, RECORD_WRONG_SEQ; for all the publisher is to blame */
export function decodeRecord(bytes: Uint8Array, index: number): IndexRecord | UnknownRecord {
  if (bytes.length > limits.log.recordBytes)
    recordFault('RECORD_TOO_LARGE', `has ${bytes.length} bytes, over the limit of ${limits.log.recordBytes}`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  const value = parseJson(text);
  if (!isObject(value)) recordFault('RECORD_MALFORMED', 'is not an object');
  // Also where a key stands twice, a number is written in a second way, or bytes are not UTF-8: three that are cut off are
  // read as U+FFFD, which has three too, so lengths would not tell.
  if (canonicalOf(value) !== text || Buffer.compare(Buffer.from(text), bytes) !== 0)
    recordFault('RECORD_NOT_CANONICAL', 'is not the RFC 8785 form of what it says');
  const { v } = value;
  if (typeof v !== 'number' || !Number.isSafeInteger(v) || v < 1)
    recordFault('RECORD_MALFORMED', 'has no version "v" of 1 or more');
  if (v !== RECORD_VERSION) return { v };
  const record = readRecord(value);
  if (record.seq !== index)
    recordFault('RECORD_WRONG_SEQ', `says seq ${record.seq} where the log has it as leaf ${index}`);
  if ((record.previous === null) !== (index === 0))
    recordFault('RECORD_MALFORMED', 'must name its previous record, unless it is the first');
  return record;
}

/**
 * What a log's next record must hold besides: @throws InvalidLogError RECORD_OUT_OF_ORDER when `previous` is not the leaf
 * before, or `observedAt` goes back.
 */
export function checkFollows(
  record: IndexRecord,
  before: { readonly digest: Digest; readonly observedAt: number },
): void {
  if (record.previous !== before.digest)
    recordFault(
      'RECORD_OUT_OF_ORDER',
      `${record.seq} names ${record.previous} as the record before, which is ${before.digest}`,
    );
  if (record.observedAt < before.observedAt)
    recordFault(
      'RECORD_OUT_OF_ORDER',
      `${record.seq} was observed at ${record.observedAt}, before the one before it (${before.observedAt})`,
    );
}

function readRecord(value: Readonly<Record<string, unknown>>): IndexRecord {
  const { optional, ...fields } = readFields(value, 'successor');
  const record: IndexRecord = {
    v: RECORD_VERSION,
    upstream: fields.text('upstream', isUpstream),
    fileOrigin: fields.text('fileOrigin', isOrigin),
    format: fields.text('format', (text) => text === 'json' || text === 'html') as 'json' | 'html',
    scope: fields.text('scope', (text) => text === 'all' || isDigest(text)) as 'all' | Digest,
    complete: fields.boolean('complete'),
    seq: fields.count('seq'),
    signedAt: fields.time('signedAt'),
    observedAt: fields.time('observedAt'),
    serial: fields.count('serial'),
    apiVersion: fields.orNull('apiVersion', (text) => /^\d{1,3}\.\d{1,3}$/.test(text)),
    bins: fields.exactly('bins', BINS),
    count: fields.count('count'),
    mapRoot: fields.text('mapRoot', isDigest) as Digest,
    leaves: fields.text('leaves', isDigest) as Digest,
    delta: fields.orNull('delta', isDigest) as Digest | null,
    stale: fields.orNull('stale', isDigest) as Digest | null,
    retractions: readRetractions(fields.take('retractions')),
    previous: fields.orNull('previous', isDigest) as Digest | null,
    ...(optional === undefined ? {} : { successor: readSuccessor(optional) }),
  };
  fields.exactly('v', RECORD_VERSION);
  fields.end();
  return record;
}

function readSuccessor(value: unknown): string {
  if (typeof value !== 'string') return recordFault('RECORD_MALFORMED', 'has a "successor" that is no text');
  let algorithm: number | undefined;
  try {
    ({ algorithm } = parseVerifierKey(value));
  } catch (cause) {
    recordFault('RECORD_MALFORMED', 'has a "successor" that is no verifier key', cause);
  }
  if (algorithm !== algorithms.ed25519)
    recordFault('RECORD_MALFORMED', 'has a "successor" whose algorithm cannot sign a log');
  return value;
}

/** As URL's own parser writes it, without what a folder's URL does not need. */
function isUpstream(text: string): boolean {
  if (Buffer.byteLength(text) > limits.log.urlBytes || !URL.canParse(text)) return false;
  const url = new URL(text);
  return (
    isHttp(url) &&
    url.username + url.password === '' &&
    !/[?#]/.test(text) &&
    text.endsWith('/') &&
    url.href === text
  );
}

function isOrigin(text: string): boolean {
  if (Buffer.byteLength(text) > limits.log.urlBytes || !URL.canParse(text)) return false;
  const url = new URL(text);
  return isHttp(url) && url.origin === text;
}

function isHttp({ protocol }: URL): boolean {
  return protocol === 'https:' || protocol === 'http:';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return recordFault('RECORD_MALFORMED', 'is not JSON', cause);
  }
}

function canonicalOf(value: object): string | undefined {
  try {
    return canonicalize(value);
  } catch (cause) {
    // A lone surrogate.
    return recordFault('RECORD_NOT_CANONICAL', 'has no RFC 8785 form', cause);
  }
}
