/** Content names and the DHT's messages by hand, written from docs/protocol.md alone: imports nothing from `src/`. */
import { createHash } from 'node:crypto';
import type { Connection } from '@libp2p/interface';

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Of a SHA-256 in hex. */
export function namesOf(digest: string): { key: string; place: string; cid: string } {
  const key = Buffer.concat([Buffer.from([0x12, 0x20]), Buffer.from(digest, 'hex')]);
  return {
    key: key.toString('hex'),
    place: sha256(key).toString('hex'),
    cid: `b${base32(Buffer.concat([Buffer.from([0x01, 0x55]), key]))}`,
  };
}

/** RFC 4648, lower case, without padding. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((bit) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(bit.padEnd(5, '0'), 2)]).join('');
}

/** An unsigned varint. */
function varint(value: number): Buffer {
  return value < 0x80
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value % 0x80) | 0x80]), varint(Math.floor(value / 0x80))]);
}

const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);

const lengthBefore = (message: Buffer): Buffer => Buffer.concat([varint(message.length), message]);

export function getProviders(digest: string): Buffer {
  const key = Buffer.from(namesOf(digest).key, 'hex');
  return lengthBefore(Buffer.concat([Buffer.from([0x08, 3]), field(2, key)]));
}

export function addProvider(digest: string, peer: PeerInfo): Buffer {
  const key = Buffer.from(namesOf(digest).key, 'hex');
  const info = Buffer.concat([field(1, peer.id), ...peer.addresses.map((address) => field(2, address))]);
  return lengthBefore(Buffer.concat([Buffer.from([0x08, 2]), field(2, key), field(9, info)]));
}

export interface PeerInfo {
  /** The peer id's multihash. */
  readonly id: Uint8Array;
  /** Multiaddrs in binary. */
  readonly addresses: readonly Uint8Array[];
}

/** Protobuf's fields that have bytes; numbers are passed over. */
function fieldsOf(bytes: Buffer): { number: number; bytes: Buffer }[] {
  const found: { number: number; bytes: Buffer }[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at);
    const value = readVarint(bytes, tag.end);
    at = value.end;
    if (tag.value % 8 !== 2) continue;
    at += value.value;
    found.push({ number: Math.floor(tag.value / 8), bytes: bytes.subarray(value.end, at) });
  }
  return found;
}

function readVarint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start; ; at++) {
    const byte = bytes.readUInt8(at);
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
}

/** Sends one message and closes its side; resolves to the providers of the answer, if one came. */
export async function callDht(connection: Connection, message: Buffer): Promise<readonly PeerInfo[]> {
  const stream = await connection.newStream('/fondue/kad/1.0.0');
  const parts: Uint8Array[] = [];
  const ended = new Promise<void>((resolve) => {
    stream.addEventListener('remoteCloseWrite', () => resolve());
    stream.addEventListener('close', () => resolve());
  });
  stream.addEventListener('message', ({ data }) => void parts.push(data.subarray()));
  stream.send(message);
  await stream.close();
  await ended;
  const all = Buffer.concat(parts);
  if (all.length === 0) return [];
  const length = readVarint(all, 0);
  return fieldsOf(all.subarray(length.end, length.end + length.value))
    .filter(({ number }) => number === 9)
    .map(({ bytes }) => {
      const fields = fieldsOf(bytes);
      return {
        id: fields.find(({ number }) => number === 1)?.bytes ?? Buffer.alloc(0),
        addresses: fields.filter(({ number }) => number === 2).map((one) => one.bytes),
      };
    });
}
