/**
 * Answers peers' questions about the index from the logs that this node follows or signs. Must always hold: an answer costs
 * reading only, of what is here; nothing is fetched, and nothing unsigned is shown.
 */
import type { Digest } from '../../core/digest.ts';
import { digestFromBytes } from '../../core/digest.ts';
import { encodePart, partHead } from '../../core/index-messages/answer-parts.ts';
import {
  type Bundle,
  encodeBundle,
  encodeLeafProof,
  encodeNumberedBin,
} from '../../core/index-messages/index-answers.ts';
import { decodeIndexRequest, type IndexRequest } from '../../core/index-messages/index-request.ts';
import { EMPTY_LEAF } from '../../core/index-map/index-bin.ts';
import { encodeProof } from '../../core/index-map/map-proof.ts';
import { HASH_BYTES } from '../../core/index-map/tree-hash.ts';
import { limits } from '../../core/limits.ts';
import { decodeAnnouncement } from '../../core/log/announcement.ts';
import { parseCheckpoint } from '../../core/log/checkpoint.ts';
import { parseNote } from '../../core/log/note.ts';
import { decodeRecord, isKnownRecord, recordDigest } from '../../core/log/record.ts';
import type { IndexHandler } from '../../network/index-channel.ts';
import type { IndexSource } from './index-source.ts';

export interface AnswerDeps {
  sources(): readonly IndexSource[];
  /** Proofs of misconduct, told with heads. */
  misconduct(): readonly Uint8Array[];
  /** Scopes and stale sets. */
  names(digest: Digest): Promise<Uint8Array | undefined>;
  /** Of what maps said lately. */
  pastBundles(bin: number): readonly Bundle[];
}

/** Small parts travel together. */
const CHUNK_BYTES = 64 * 1024;
/** Where no bin is empty, half of the map would be this. */
const EMPTY = Buffer.from(EMPTY_LEAF);

/** What it throws (InvalidLogError MESSAGE_*) the peer hears as "unreadable". */
export function createIndexAnswers(deps: AnswerDeps): IndexHandler {
  return (_peerId, request, signal) => packed(answer(deps, decodeIndexRequest(request)), signal);
}

async function* packed(parts: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const part of parts) {
    signal.throwIfAborted();
    // A list of names may have megabytes: not a second and a third time.
    const isLarge = part.length >= CHUNK_BYTES;
    waiting.push(isLarge ? partHead(part.length) : encodePart(part));
    length += 4 + part.length;
    if (length < CHUNK_BYTES) continue;
    yield Buffer.concat(waiting);
    if (isLarge) yield part;
    [waiting, length] = [[], 0];
  }
  if (length > 0) yield Buffer.concat(waiting);
}

async function* answer(deps: AnswerDeps, request: IndexRequest): AsyncGenerator<Uint8Array> {
  const sourceOf = (origin: string): IndexSource | undefined =>
    // Of a log that this node signs and follows, its own copy is the longer one.
    deps
      .sources()
      .filter((source) => source.origin === origin)
      .sort((a, b) => b.size - a.size)[0];
  switch (request.q) {
    case 'heads':
      for (const source of deps.sources()) {
        const known = request.sizes.get(source.origin) ?? Infinity;
        if (source.size > known) yield* source.announcements(known);
      }
      yield* deps.misconduct();
      return;
    case 'range':
      return yield* range(sourceOf(request.origin), request.from, request.to);
    case 'inclusion': {
      const { origin, index, size } = request;
      const source = sourceOf(origin);
      const leaf = source && (await leafOf(source, index));
      const proof = leaf && (await knownOnly(source.proveInclusion(index, size)));
      if (leaf && proof) yield encodeLeafProof({ leaf, proof });
      return;
    }
    case 'consistency': {
      const source = sourceOf(request.origin);
      const proof = source && (await knownOnly(source.proveConsistency(request.from, request.to)));
      if (proof) yield Buffer.concat(proof);
      return;
    }
    case 'object': {
      const object = (await leavesOf(deps, request.digest)) ?? (await deps.names(request.digest));
      if (object) yield object;
      return;
    }
    case 'bins':
      return yield* bins(deps, request);
    case 'bundles':
      return yield* bundles(deps, request.bin);
  }
}

async function* range(source: IndexSource | undefined, from: number, to: number): AsyncGenerator<Uint8Array> {
  if (source === undefined) return;
  const end = Math.min(to, source.size, from + limits.follow.rangeRecords);
  for (let seq = from; seq < end; seq++) {
    const record = await source.record(seq);
    if (record === undefined) return;
    yield record;
    yield (await source.delta(seq)) ?? new Uint8Array();
  }
}

async function* bins(
  deps: AnswerDeps,
  { leaves: digest, runs }: Extract<IndexRequest, { q: 'bins' }>,
): AsyncGenerator<Uint8Array> {
  const leaves = await leavesOf(deps, digest);
  if (leaves === undefined) return;
  for (const [first, last] of runs)
    for (let number = first; number <= last; number++) {
      const hash = leaves.subarray(number * HASH_BYTES, (number + 1) * HASH_BYTES);
      // Everybody has the empty bin.
      if (EMPTY.equals(hash)) continue;
      const bytes = await binOf(deps, digestFromBytes(hash));
      if (bytes !== undefined) yield encodeNumberedBin({ number, bytes });
    }
}

async function* bundles(deps: AnswerDeps, bin: number): AsyncGenerator<Uint8Array> {
  let left: number = limits.follow.bundles;
  for (const source of deps.sources()) {
    // Signed by two keys during a rotation: who asks may know either.
    const newest = source.announcements(source.size - 1);
    const mapRoot = newest[0] && mapRootOf(newest[0]);
    const proof = mapRoot && (await source.proveBin?.(bin, mapRoot));
    for (const announcement of proof ? newest : [])
      if (proof && left-- > 0) yield encodeBundle({ announcement, proof: encodeProof(proof) });
  }
  for (const bundle of deps.pastBundles(bin)) if (left-- > 0) yield encodeBundle(bundle);
}

async function leafOf(source: IndexSource, seq: number): Promise<Digest | undefined> {
  const leaf = source.leaf?.(seq);
  if (leaf !== undefined) return leaf;
  const record = await source.record(seq);
  return record && recordDigest(record);
}

/** Of what this node verified. */
function mapRootOf(announcement: Uint8Array): Digest | undefined {
  const { checkpoint, record } = decodeAnnouncement(announcement);
  const known = decodeRecord(record, parseCheckpoint(parseNote(checkpoint).text).size - 1);
  return isKnownRecord(known) ? known.mapRoot : undefined;
}

async function leavesOf({ sources }: AnswerDeps, digest: Digest): Promise<Uint8Array | undefined> {
  for (const source of sources()) {
    const leaves = await source.leaves(digest);
    if (leaves !== undefined) return leaves;
  }
  return undefined;
}

async function binOf({ sources }: AnswerDeps, hash: Digest): Promise<Uint8Array | undefined> {
  for (const source of sources()) {
    const bytes = await source.bin(hash);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

/** What is not known here is no failure. */
async function knownOnly<T>(proof: Promise<T>): Promise<T | undefined> {
  try {
    return await proof;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
