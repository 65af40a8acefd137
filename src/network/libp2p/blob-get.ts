/**
 * One GET, answered. What must always hold: nothing is read but a blob that the shelf gave out; a blob sent whole is hashed
 * along, and its last frame goes out only when the hash fits; file, place and memory are given back on every way out.
 */
import { createHash, type Hash } from 'node:crypto';
import { deadline, type Clock, type Deadline } from '../../core/clock.ts';
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
const BUSY: BlobAnswer = { kind: 'busy', retryMs: limits.blob.busyRetry };
const UNFIT = 'the file does not fit its name';

/** The last answer of a GET that gave no (more) bytes; undefined when all were sent. */
export async function serveGet(
  deps: GetDeps,
  request: GetRequest,
  context: GetContext,
): Promise<BlobAnswer | undefined> {
  const entered = Promise.withResolvers<void>();
  const place = deps.slots.enter(context.asker, entered.resolve);
  if (!place) return BUSY;
  let held = false;
  try {
    using waiting = place.running ? undefined : lateness(deps, request, context);
    if (waiting) {
      const refused = await waitToEnter(deps, entered.promise, waiting.signal, context);
      if (refused) return refused;
    }
    held = deps.budget.take(BUFFERED);
    if (!held) return BUSY;
    const placed = { ...context, place };
    const small = readSmall(deps, request);
    if (small !== undefined) return await sendSmall(deps, request, placed, small);
    using late = waiting ?? lateness(deps, request, context);
    return await send(deps, request, placed, late.signal);
  } finally {
    if (held) deps.budget.give(BUFFERED);
    place.leave();
  }
}

/** Aborts when no byte was sent in time, and when the stream closes. */
function lateness({ clock }: GetDeps, { deadlineMs }: GetRequest, { signal }: GetContext): Deadline {
  const wanted = deadlineMs === 0 ? limits.blob.deadline : deadlineMs;
  return deadline(clock, Math.min(wanted, limits.blob.deadlineMax), signal);
}

/** Waits a short while for a place. */
async function waitToEnter(
  { clock }: GetDeps,
  entered: Promise<void>,
  late: AbortSignal,
  context: GetContext,
): Promise<BlobAnswer | undefined> {
  using wait = deadline(clock, limits.blob.waitTime, late);
  try {
    await orAborted(entered, wait.signal);
    return undefined;
  } catch {
    context.signal.throwIfAborted();
    return late.aborted ? failure(errorCode.deadline, 'no place came free in time') : BUSY;
  }
}

interface Placed extends GetContext {
  readonly place: Place;
}

/** All of a small blob that the shelf can give at once: opening it by way of the other thread costs ten times as much. */
function readSmall({ shelf, buffers }: GetDeps, request: GetRequest): Piece | undefined {
  const { digest, offset } = request;
  const size = shelf.size(digest);
  if (shelf.readWhole === undefined || size === undefined || size === 0 || size > PIECE) return undefined;
  if (offset > 0 || (request.length ?? size) < size) return undefined;
  const buffer = buffers.take();
  if (shelf.readWhole(digest, buffer.content.subarray(0, size)) === size)
    return { buffer, at: 0, length: size };
  buffers.give(buffer);
  return undefined;
}

async function sendSmall(
  deps: GetDeps,
  { digest }: GetRequest,
  context: Placed,
  piece: Piece,
): Promise<BlobAnswer | undefined> {
  const { length } = piece;
  const ok = encodeAnswer({ kind: 'ok', blobSize: length, offset: 0, length });
  const hash = createHash('sha256');
  const good = await sendPiece(deps, { ...context, digest, hash, end: length }, piece, ok);
  return good ? undefined : failure(errorCode.unreadable, UNFIT);
}

async function send(
  deps: GetDeps,
  request: GetRequest,
  context: Placed,
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
  readonly digest: GetRequest['digest'];
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
  sending: Sending & Placed & { readonly reader: ShelfReader },
  ok: Uint8Array,
  first: Piece,
): Promise<BlobAnswer | undefined> {
  const { end, signal } = sending;
  const { clock } = deps;
  let turn = 0;
  let begun = clock.monotonic();
  for (let piece = first; ;) {
    const after = piece.at + piece.length;
    const read = (): Promise<Piece> => readPiece(deps.buffers, sending.reader, after, end);
    const following = after === end ? undefined : read();
    // Rejections are met at its await below.
    following?.catch(() => undefined);
    if (!(await sendPiece(deps, sending, piece, piece === first ? ok : undefined)))
      return failure(errorCode.unreadable, UNFIT);
    if (!following) return undefined;
    turn += piece.length;
    const isOver = turn >= limits.blob.turn || clock.monotonic() - begun >= limits.blob.turnTime;
    if (isOver && sending.place.wanted) {
      await nextTurn(sending.place, signal);
      turn = 0;
      begun = clock.monotonic();
    }
    piece = await following;
  }
}

/** False when the whole does not fit its name: then its last frame was kept back. */
async function sendPiece(
  { buffers, shelf }: GetDeps,
  { digest, hash, end, writer, signal, onSent }: Sending,
  { buffer, at, length }: Piece,
  ok: Uint8Array | undefined,
): Promise<boolean> {
  hash?.update(buffer.content.subarray(0, length));
  const good = at + length < end || hash === undefined || hash.digest('hex') === digest;
  const frames = buffer.frames(length, ok);
  const sent = good ? frames : frames.subarray(0, frames.length - buffer.lastFrame(length));
  await writer.bulk(sent, () => buffers.give(buffer));
  signal.throwIfAborted();
  onSent(length);
  if (!good) shelf.reportCorrupt(digest);
  return good;
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
