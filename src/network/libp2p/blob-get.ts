/**
 * One GET, answered. What must always hold: nothing is read but a blob that the shelf gave out; a blob sent whole is hashed
 * along, and its last frame goes out only when the hash fits; file, place and memory are given back on every way out.
 */
import { createHash, type Hash } from 'node:crypto';
import { deadline, type Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import { encodeAnswer, errorCode, type BlobAnswer, type ErrorCode } from '../blob-protocol/answers.ts';
import type { Asker, GetSlots, Place } from '../blob-protocol/get-slots.ts';
import type { GetRequest } from '../blob-protocol/requests.ts';
import type { Shelf, ShelfReader } from '../peer-network.ts';
import type { StreamWriter } from './blob-writers.ts';
import type { Budget } from './byte-budget.ts';
import { PIECE, type SendBuffer, type SendBuffers } from './send-buffers.ts';

export interface GetDeps {
  readonly clock: Clock;
  readonly shelf: Shelf;
  readonly slots: GetSlots;
  readonly budget: Budget;
  readonly buffers: SendBuffers;
}

export interface GetContext {
  readonly asker: Asker;
  readonly writer: StreamWriter;
  /** Aborted when the stream closes. */
  readonly signal: AbortSignal;
  /** Content bytes that the stream took. */
  onSent(bytes: number): void;
}

/** One is sent while the next is read; a few more are held by libp2p. */
const BUFFERED = 6 * PIECE;

/** The last answer of a GET that gave no (more) bytes; undefined when all were sent. */
export async function serveGet(
  deps: GetDeps,
  request: GetRequest,
  context: GetContext,
): Promise<BlobAnswer | undefined> {
  const wanted = request.deadlineMs === 0 ? limits.blob.deadline : request.deadlineMs;
  using late = deadline(deps.clock, Math.min(wanted, limits.blob.deadlineMax), context.signal);
  const place = await enter(deps, context, late.signal);
  if (place === 'busy') return { kind: 'busy', retryMs: limits.blob.busyRetry };
  if (place === 'late') return failure(errorCode.deadline, 'no place came free in time');
  try {
    if (!deps.budget.take(BUFFERED)) return { kind: 'busy', retryMs: limits.blob.busyRetry };
    try {
      return await send(deps, request, { ...context, place }, late.signal);
    } finally {
      deps.budget.give(BUFFERED);
    }
  } finally {
    place.leave();
  }
}

/** Waits a short while for a place. */
async function enter(
  deps: GetDeps,
  context: GetContext,
  late: AbortSignal,
): Promise<Place | 'busy' | 'late'> {
  const entered = Promise.withResolvers<void>();
  const place = deps.slots.enter(context.asker, entered.resolve);
  if (!place) return 'busy';
  using wait = deadline(deps.clock, limits.blob.waitTime, late);
  try {
    await orAborted(entered.promise, wait.signal);
    return place;
  } catch {
    place.leave();
    context.signal.throwIfAborted();
    return late.aborted ? 'late' : 'busy';
  }
}

async function send(
  deps: GetDeps,
  request: GetRequest,
  context: GetContext & { readonly place: Place },
  late: AbortSignal,
): Promise<BlobAnswer | undefined> {
  const opening = deps.shelf.open(request.digest);
  let begun = false;
  try {
    const reader = await orAborted(opening, late);
    if (!reader) return { kind: 'not-found' };
    if (request.offset > reader.size) return failure(errorCode.range, `the blob has ${reader.size} bytes`);
    const length = Math.min(request.length ?? Infinity, reader.size - request.offset);
    const end = request.offset + length;
    const first = await orAborted(readPiece(deps.buffers, reader, request.offset, end), late);
    begun = true;
    const ok = encodeAnswer({ kind: 'ok', blobSize: reader.size, offset: request.offset, length });
    const hash = length === reader.size ? createHash('sha256') : undefined;
    const sending = { ...context, digest: request.digest, reader, hash, end };
    return await sendPieces(deps, sending, ok, first);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!begun && late.aborted) return failure(errorCode.deadline, 'the file could not be read in time');
    if (error instanceof TruncatedError) deps.shelf.reportCorrupt(request.digest);
    return failure(errorCode.unreadable, 'the file could not be read');
  } finally {
    // Also when it was opened after its deadline.
    void opening.then((opened) => opened?.[Symbol.asyncDispose]()).catch(() => undefined);
  }
}

interface Sending extends GetContext {
  readonly place: Place;
  readonly digest: GetRequest['digest'];
  readonly reader: ShelfReader;
  /** Only when the whole blob is sent. */
  readonly hash: Hash | undefined;
  readonly end: number;
}

/** Content read from the file: [at, at + length). */
interface Piece {
  readonly buffer: SendBuffer;
  readonly at: number;
  readonly length: number;
}

async function sendPieces(
  deps: GetDeps,
  sending: Sending,
  ok: Uint8Array,
  first: Piece,
): Promise<BlobAnswer | undefined> {
  const { hash, end, writer, signal } = sending;
  const { buffers } = deps;
  let turn = 0;
  for (let piece = first; ;) {
    const { buffer, at, length } = piece;
    hash?.update(buffer.content.subarray(0, length));
    const after = at + length;
    const last = after === end;
    const good = !last || hash === undefined || hash.digest('hex') === sending.digest;
    const following = last ? undefined : readPiece(buffers, sending.reader, after, end);
    // Rejections are met at its await below.
    following?.catch(() => undefined);
    const frames = buffer.frames(length, piece === first ? ok : undefined);
    const sent = good ? frames : frames.subarray(0, frames.length - buffer.lastFrame(length));
    await writer.bulk(sent, () => buffers.give(buffer));
    signal.throwIfAborted();
    sending.onSent(length);
    if (!good) {
      deps.shelf.reportCorrupt(sending.digest);
      return failure(errorCode.unreadable, 'the file does not fit its name');
    }
    if (!following) return undefined;
    turn += length;
    if (turn >= limits.blob.turn && sending.place.wanted) {
      turn = 0;
      await nextTurn(sending.place, signal);
    }
    piece = await following;
  }
}

class TruncatedError extends Error {}

async function readPiece(buffers: SendBuffers, reader: ShelfReader, at: number, end: number): Promise<Piece> {
  const buffer = buffers.take();
  const length = Math.min(PIECE, end - at);
  for (let filled = 0; filled < length;) {
    const count = await reader.read(buffer.content.subarray(filled, length), at + filled);
    if (count === 0) throw new TruncatedError(`the file ends at ${at + filled}, not at ${end}`);
    filled += count;
  }
  return { buffer, at, length };
}

function nextTurn(place: Place, signal: AbortSignal): Promise<void> {
  const entered = Promise.withResolvers<void>();
  place.requeue(entered.resolve);
  return orAborted(entered.promise, signal);
}

function failure(code: ErrorCode, text: string): BlobAnswer {
  return { kind: 'error', code, text };
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
