/**
 * Bodies that are read while they are sent. Always true: at most one buffer of a body is on its way to a client while the
 * next is being filled; nothing is sent from a buffer that anybody else can write to; a body that breaks off is a reset
 * connection.
 *
 * Measured (design/gateway, "Speed"): streams at 64 KiB reach 0.3 of nginx with 100 MB files, two reused buffers of 1 MiB
 * with `write` callbacks 1.0.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import { IntegrityError } from '../core/errors.ts';
import type { OpenedFile } from '../mirror/mirror.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { limitIdle, resetConnection } from './send.ts';

export interface BodyDeps {
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly limits: GatewayLimits;
}

/** What is to be sent: [start, end), `end` undefined where the file's size is only known at its end. */
export interface BodyRange {
  readonly start: number;
  readonly end: number | undefined;
}

/**
 * Reads and sends. `begin` writes the head; it is called when the first bytes are there, so that until then an error can
 * still be told. Rejects when the body broke off.
 */
export async function sendFile(
  deps: BodyDeps,
  exchange: Exchange,
  file: OpenedFile,
  range: BodyRange,
  begin: () => void,
  firstBy: AbortSignal,
): Promise<void> {
  const { response, signal } = exchange;
  const { limits } = deps;
  const buffers = createBodyBuffers(deps.pool, limits.copyPiece);
  let offset = range.start;
  let writing: Promise<number> | undefined;
  try {
    while (range.end === undefined || offset < range.end) {
      const buffer = buffers.next(file.complete);
      const wanted = Math.min(buffer.bytes.length, (range.end ?? Infinity) - offset);
      // A read into a pooled buffer is never given up: its thread would write into what others send (buffer-pool.ts).
      const until = buffer.pooled ? {} : { signal: writing === undefined ? firstBy : signal };
      const count = await file.read(buffer.bytes.subarray(0, wanted), offset, until);
      if (count === 0) break;
      if (writing === undefined) {
        begin();
        limitIdle(response, limits.idleTime);
      } else if ((await writing) > limits.slowWrite) buffers.slow();
      signal.throwIfAborted();
      writing = write(deps.clock, response, buffer.bytes.subarray(0, count));
      exchange.sent(file.source, count);
      offset += count;
    }
    if (range.end !== undefined && offset < range.end) {
      const facts = { expected: `${range.end} bytes`, actual: `${offset} bytes`, source: file.source };
      throw new IntegrityError(facts);
    }
    if (writing === undefined) begin();
    await writing;
    signal.throwIfAborted();
    response.end();
  } catch (error) {
    // What is being written is not waited for but let go with the connection; only then may its buffer be used again.
    if (response.headersSent) resetConnection(exchange);
    throw error;
  } finally {
    await writing;
    buffers.done();
  }
}

/** Resolves when the bytes are with the operating system, or will never be: to how long that took, ms. Never rejects. */
function write(clock: Clock, response: ServerResponse, bytes: Uint8Array): Promise<number> {
  const began = clock.monotonic();
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('close', done);
      resolve(clock.monotonic() - began);
    };
    response.once('close', done);
    if (response.destroyed) done();
    else response.write(bytes, done);
  });
}

interface BodyBuffer {
  readonly bytes: Uint8Array;
  readonly pooled: boolean;
}

interface BodyBuffers {
  /** The one of two that is not on its way to the client. `quick`: reading needs no waiting, so a big one is worth it. */
  next(quick: boolean): BodyBuffer;
  /** From now on small ones. */
  slow(): void;
  done(): void;
}

function createBodyBuffers(pool: BufferPool, pieceBytes: number): BodyBuffers {
  const held: (BodyBuffer | undefined)[] = [undefined, undefined];
  let turn = 0;
  let fast = true;
  const release = (buffer: BodyBuffer | undefined): void => {
    if (buffer?.pooled) pool.give(buffer.bytes);
  };
  return {
    next(quick) {
      turn = 1 - turn;
      const present = held[turn];
      if (present !== undefined && present.pooled === (quick && fast)) return present;
      const big = quick && fast ? pool.take() : undefined;
      if (big === undefined && present?.pooled === false) return present;
      release(present);
      const buffer =
        big === undefined
          ? { bytes: Buffer.allocUnsafeSlow(pieceBytes), pooled: false }
          : { bytes: big, pooled: true };
      held[turn] = buffer;
      return buffer;
    },
    slow() {
      fast = false;
    },
    done() {
      held.forEach(release);
      held.fill(undefined);
    },
  };
}

/** Sends chunks as they come, each when the one before is away. For HEAD nothing is read. */
export async function sendChunks(
  deps: Pick<BodyDeps, 'clock' | 'limits'>,
  exchange: Exchange,
  headers: readonly string[],
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { response, signal, head } = exchange;
  const iterator = body[Symbol.asyncIterator]();
  try {
    // The first one before the head: an error can still be told then.
    let item = head ? undefined : await iterator.next();
    response.writeHead(200, [...headers, 'X-Content-Type-Options', 'nosniff']);
    limitIdle(response, deps.limits.idleTime);
    while (item !== undefined && item.done !== true) {
      await write(deps.clock, response, item.value);
      signal.throwIfAborted();
      exchange.sent('disk', item.value.length);
      item = await iterator.next();
    }
    response.end();
  } finally {
    await iterator.return?.();
  }
}
