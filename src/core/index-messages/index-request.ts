/**
 * What a peer may be asked about the signed index: CBOR maps with `q`, the question. No project name is ever in one
 * (promise 9): names are asked for by their bin's number. One question has one encoding.
 *
 * - `heads` {h: {origin: size}}: the newest heads of these logs that are newer (0: none is known).
 * - `range` {o, f, t}: records f <= seq < t of log o with their deltas.
 * - `inclusion` {o, i, s}: leaf i and its proof in the log of s leaves. `consistency` {o, f, t}.
 * - `object` {d}: leaf hashes, or a list of names, by their SHA-256.
 * - `bins` {l, r}: of the map whose leaf hashes have digest l, the bins of the runs r (u16 first, u16 last, each; big-endian).
 * - `bundles` {b}: proofs of what voters' maps say of bin b, now and lately.
 */
import { type Digest, digestFromBytes, digestToBytes } from '../digest.ts';
import { BINS } from '../index-map/index-entry.ts';
import { limits } from '../limits.ts';
import {
  bytesOf,
  decodeMessage,
  encodeMessage,
  type MessageKind,
  type MessageMap,
  messageMap,
  refuse,
} from '../log/canonical-cbor.ts';
import { isKeyName } from '../log/verifier-key.ts';

export type BinRun = readonly [first: number, last: number];

export type IndexRequest =
  | { readonly q: 'heads'; readonly sizes: ReadonlyMap<string, number> }
  | { readonly q: 'range'; readonly origin: string; readonly from: number; readonly to: number }
  | { readonly q: 'inclusion'; readonly origin: string; readonly index: number; readonly size: number }
  | { readonly q: 'consistency'; readonly origin: string; readonly from: number; readonly to: number }
  | { readonly q: 'object'; readonly digest: Digest }
  | { readonly q: 'bins'; readonly leaves: Digest; readonly runs: readonly BinRun[] }
  | { readonly q: 'bundles'; readonly bin: number };

const KIND: MessageKind = {
  name: 'a request about the index',
  malformed: 'MESSAGE_MALFORMED',
  tooLarge: 'MESSAGE_TOO_LARGE',
  limit: limits.indexChannel.requestBytes,
};

/** @throws InvalidLogError MESSAGE_TOO_LARGE */
export function encodeIndexRequest(request: IndexRequest): Uint8Array {
  return encodeMessage(KIND, mapOf(request));
}

/** @throws InvalidLogError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED for all that {@link encodeIndexRequest} does not write */
export function decodeIndexRequest(bytes: Uint8Array): IndexRequest {
  const any = decodeMessage(KIND, bytes);
  const exactly = (...keys: string[]): MessageMap => messageMap(KIND, any, [...keys, 'q']);
  switch (any['q']) {
    case 'heads':
      return { q: 'heads', sizes: sizesOf(exactly('h')['h']) };
    case 'range':
    case 'consistency': {
      const map = exactly('f', 'o', 't');
      const [from, to] = [countOf(map, 'f'), countOf(map, 't')];
      if (from >= to) refuse(KIND, 'asks for an empty range');
      return { q: any['q'], origin: originOf(map), from, to };
    }
    case 'inclusion': {
      const map = exactly('i', 'o', 's');
      const [index, size] = [countOf(map, 'i'), countOf(map, 's')];
      if (index >= size) refuse(KIND, 'asks for a leaf behind the end');
      return { q: 'inclusion', origin: originOf(map), index, size };
    }
    case 'object':
      return { q: 'object', digest: digestOf(exactly('d'), 'd') };
    case 'bins': {
      const map = exactly('l', 'r');
      return { q: 'bins', leaves: digestOf(map, 'l'), runs: runsOf(bytesOf(KIND, map, 'r')) };
    }
    case 'bundles': {
      const bin = countOf(exactly('b'), 'b');
      return bin < BINS ? { q: 'bundles', bin } : refuse(KIND, 'asks for a bin that does not exist');
    }
    default:
      return refuse(KIND, 'asks what is not known');
  }
}

/** Ascending numbers as runs. */
export function binRuns(numbers: Iterable<number>): BinRun[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] + 1 === number) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

function mapOf(request: IndexRequest): MessageMap {
  const { q } = request;
  switch (request.q) {
    case 'heads':
      return { q, h: Object.fromEntries(request.sizes) };
    case 'range':
    case 'consistency':
      return { q, o: request.origin, f: request.from, t: request.to };
    case 'inclusion':
      return { q, o: request.origin, i: request.index, s: request.size };
    case 'object':
      return { q, d: digestToBytes(request.digest) };
    case 'bins': {
      const runs = Buffer.alloc(4 * request.runs.length);
      for (const [i, [first, last]] of request.runs.entries()) {
        runs.writeUInt16BE(first, 4 * i);
        runs.writeUInt16BE(last, 4 * i + 2);
      }
      return { q, l: digestToBytes(request.leaves), r: runs };
    }
    case 'bundles':
      return { q, b: request.bin };
  }
}

function sizesOf(value: unknown): Map<string, number> {
  const entries = Object.entries(messageMap(KIND, value));
  if (entries.length > limits.log.policyItems) refuse(KIND, `names ${entries.length} logs`);
  return new Map(
    entries.map(([origin, size]) => {
      if (!isKeyName(origin)) refuse(KIND, 'has a name that no log can have');
      return [origin, isCount(size) ? size : refuse(KIND, 'has a size that is none')];
    }),
  );
}

function runsOf(bytes: Uint8Array): BinRun[] {
  if (bytes.length === 0 || bytes.length % 4 !== 0) refuse(KIND, 'has no list of bins');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let before = -2;
  return Array.from({ length: bytes.length / 4 }, (_, i) => {
    const [first, last] = [view.getUint16(4 * i), view.getUint16(4 * i + 2)];
    // Runs that touch would be one run.
    if (first <= before + 1 || last < first) refuse(KIND, 'has bins that do not ascend');
    before = last;
    return [first, last];
  });
}

function originOf(map: MessageMap): string {
  const origin = map['o'];
  return typeof origin === 'string' && isKeyName(origin)
    ? origin
    : refuse(KIND, 'has a name that no log can have');
}

function digestOf(map: MessageMap, key: string): Digest {
  const bytes = bytesOf(KIND, map, key);
  return bytes.length === 32 ? digestFromBytes(bytes) : refuse(KIND, 'has a digest that is none');
}

function countOf(map: MessageMap, key: string): number {
  const value = map[key];
  return isCount(value) ? value : refuse(KIND, `has a "${key}" that is no count`);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
