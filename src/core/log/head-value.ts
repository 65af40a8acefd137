/**
 * What the DHT holds of a log: under `/fondue-cp/` and SHA-256(verifier key), CBOR of an announcement and `k`, the key. It
 * proves itself: who keeps it needs no policy.
 */
import { hash } from 'node:crypto';
import { InvalidLogError } from '../errors.ts';
import { limits } from '../limits.ts';
import {
  type Announcement,
  announcementFrom,
  announcementMap,
  type VerifiedAnnouncement,
  verifyHead,
} from './announcement.ts';
import { decodeMessage, encodeMessage, type MessageKind, refuse } from './canonical-cbor.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { parseNote } from './note.ts';
import { parseVerifierKey, type VerifierKey } from './verifier-key.ts';

const PREFIX = Buffer.from('/fondue-cp/');
const KIND: MessageKind = {
  name: 'a value of a log',
  malformed: 'HEAD_VALUE_MALFORMED',
  tooLarge: 'HEAD_VALUE_TOO_LARGE',
  limit: limits.log.headValueBytes,
};

/** The DHT's key for a log: 11 + 32 bytes. */
export function headValueKey(key: VerifierKey): Uint8Array {
  return Buffer.concat([PREFIX, hash('sha256', key.text, 'buffer')]);
}

/** @throws InvalidLogError HEAD_VALUE_TOO_LARGE: such a head travels by gossip only */
export function encodeHeadValue(key: VerifierKey, announcement: Announcement): Uint8Array {
  return encodeMessage(KIND, { ...announcementMap(announcement), k: key.text });
}

/** @throws InvalidLogError HEAD_VALUE_MALFORMED, HEAD_VALUE_TOO_LARGE, HEAD_VALUE_OTHER_KEY, and those of an announcement */
export function verifyHeadValue(valueKey: Uint8Array, value: Uint8Array): VerifiedAnnouncement {
  const { key, announcement } = decodeHeadValue(value);
  if (Buffer.compare(valueKey, headValueKey(key)) !== 0)
    throw new InvalidLogError(
      'HEAD_VALUE_OTHER_KEY',
      `a value of the log ${key.name} stands under another log's key`,
    );
  return verifyHead(announcement, [key]);
}

/** The DHT's validator and selector (`HeadValueRules` of network/index-channel.ts): the greatest size, then the smallest root. */
export const headValueRules = {
  validate(key: Uint8Array, value: Uint8Array): void {
    verifyHeadValue(key, value);
  },
  /** Of valid values, at least one. */
  select(_key: Uint8Array, values: readonly Uint8Array[]): number {
    const heads = values.map((value) =>
      parseCheckpoint(parseNote(decodeHeadValue(value).announcement.checkpoint).text),
    );
    let best = 0;
    for (const [i, head] of heads.entries()) {
      const leader = heads[best];
      if (leader === undefined || head.size > leader.size) best = i;
      else if (head.size === leader.size && head.root < leader.root) best = i;
    }
    return best;
  },
};

function decodeHeadValue(value: Uint8Array): { key: VerifierKey; announcement: Announcement } {
  const map = decodeMessage(KIND, value, ['c', 'k', 'p', 'r']);
  const text = map['k'];
  if (typeof text !== 'string') return refuse(KIND, 'has a "k" that is no text');
  return { key: parseVerifierKey(text), announcement: announcementFrom(KIND, map) };
}
