/** Messages of the log are maps of deterministic CBOR. One meaning has one encoding, so that a message cannot be altered and still hold. */
import { decode, encode } from '@ipld/dag-cbor';
import { InvalidLogError, type LogFault } from '../errors.ts';

export interface MessageKind {
  /** For errors: "an announcement". */
  readonly name: string;
  readonly malformed: LogFault;
  readonly tooLarge: LogFault;
  readonly limit: number;
}

/** Encoding takes time in the square of the depth: 0.7 s for 24 KB in a thread, whose stack is larger (Node 24.21, measured). */
const DEPTH = 8;

export type MessageMap = Readonly<Record<string, unknown>>;

/** @throws InvalidLogError `tooLarge` */
export function encodeMessage(kind: MessageKind, value: MessageMap): Uint8Array {
  const bytes = encode(value);
  checkLength(kind, bytes);
  return bytes;
}

/** A map with exactly `keys` (undefined: any), encoded in the one way. @throws InvalidLogError `tooLarge`, `malformed` */
export function decodeMessage(kind: MessageKind, bytes: Uint8Array, keys?: readonly string[]): MessageMap {
  checkLength(kind, bytes);
  let value: unknown;
  try {
    value = decode(bytes);
    if (nestsDeeper(value, DEPTH)) return refuse(kind, 'nests deeper than any message');
    if (Buffer.compare(encode(value), bytes) !== 0) value = undefined;
  } catch (cause) {
    if (cause instanceof InvalidLogError) throw cause;
    // RangeError too: arrays nested until the stack ends.
    refuse(kind, 'is not deterministic CBOR', cause);
  }
  return messageMap(kind, value, keys);
}

/** @throws InvalidLogError `malformed` unless it is a map with exactly these keys */
export function messageMap(kind: MessageKind, value: unknown, keys?: readonly string[]): MessageMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
    return refuse(kind, 'is not a map in the one encoding');
  if (keys === undefined) return value as MessageMap;
  const found = Object.keys(value);
  if (found.length !== keys.length || !keys.every((key) => Object.hasOwn(value, key)))
    return refuse(kind, `does not have exactly the keys ${keys.join(', ')}`);
  return value as MessageMap;
}

export function bytesOf(kind: MessageKind, map: MessageMap, key: string): Uint8Array {
  const value = map[key];
  return value instanceof Uint8Array ? value : refuse(kind, `has a "${key}" that is no byte string`);
}

/** Hashes side by side. */
export function hashesOf(kind: MessageKind, map: MessageMap, key: string): Uint8Array[] {
  const bytes = bytesOf(kind, map, key);
  if (bytes.length % 32 !== 0) refuse(kind, `has a "${key}" that is no list of hashes`);
  return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.subarray(32 * i, 32 * (i + 1)));
}

export function refuse(kind: MessageKind, what: string, cause?: unknown): never {
  throw new InvalidLogError(kind.malformed, `${kind.name} ${what}`, { cause });
}

function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  return levels === 0 || Object.values(value).some((item) => nestsDeeper(item, levels - 1));
}

function checkLength(kind: MessageKind, bytes: Uint8Array): void {
  if (bytes.length > kind.limit)
    throw new InvalidLogError(
      kind.tooLarge,
      `${kind.name} has ${bytes.length} bytes, over the limit of ${kind.limit}`,
    );
}
