/**
 * Where a flight puts its bytes when the store has no room: a window in memory that moves with the slowest reader, after
 * what did fit on disk. Hashed along like a partial; nothing of it is stored. Bounded: beyond the window the source waits,
 * and a reader that makes it wait for more than a few seconds is left behind.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Clock, Timer } from '../core/clock.ts';
import { type Digest, digestFromBytes } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { PartialBlob, SentRange } from '../store/blob-store.ts';

/** What a flight writes to and reads from: a {@link PartialBlob}, or a window. */
type Ground = Pick<PartialBlob, 'length' | 'sent' | 'append' | 'read' | 'truncate' | 'actualDigest'>;

export interface PassThrough extends Ground, AsyncDisposable {
  /** The smallest offset that can still be read. */
  readonly start: number;
  /** Bytes below this are not needed any more by anybody. */
  release(upTo: number): void;
}

export interface PassThroughDeps {
  readonly clock: Clock;
  /** Bytes of the window. */
  readonly window: number;
  /** What did fit on disk; stays readable, and is discarded at the end. */
  readonly prefix: PartialBlob | undefined;
  /** The window was full for too long: readers that stand at its start must go. */
  leaveBehind(): void;
}

export async function createPassThrough(deps: PassThroughDeps): Promise<PassThrough> {
  const { clock, window } = deps;
  let prefix = deps.prefix;
  let hash: Hash = createHash('sha256');
  if (prefix !== undefined) await hashPrefix(prefix, hash);
  let base = prefix?.length ?? 0;
  let length = base;
  let start = base;
  let needed = 0;
  let sent: SentRange[] = [...(prefix?.sent ?? [])];
  let chunks: { offset: number; bytes: Uint8Array }[] = [];
  let room = Promise.withResolvers<void>();
  let closed = false;

  function drop(): void {
    while (chunks[0] !== undefined && chunks[0].offset + chunks[0].bytes.length <= needed) chunks.shift();
    start = Math.max(base, chunks[0]?.offset ?? length);
    room.resolve();
    room = Promise.withResolvers();
  }

  /** The window holds nothing but what somebody still needs. */
  const full = (): boolean => !closed && length - Math.max(base, Math.min(needed, length)) >= window;

  async function waitForRoom(): Promise<void> {
    let timer: Timer | undefined;
    const watch = (): void => {
      timer = clock.setTimer(() => {
        watch();
        deps.leaveBehind();
      }, limits.fetch.laggard);
    };
    if (full()) watch();
    while (full()) await room.promise;
    timer?.cancel();
    if (closed) throw new Error('nobody reads this file any more');
  }

  async function write(bytes: Uint8Array, source: string): Promise<void> {
    await waitForRoom();
    hash.update(bytes);
    chunks.push({ offset: length, bytes });
    const last = sent.at(-1);
    if (last?.source === source) sent[sent.length - 1] = { ...last, end: length + bytes.length };
    else sent.push({ start: length, end: length + bytes.length, source });
    length += bytes.length;
    drop();
  }

  let queue: Promise<unknown> = Promise.resolve();
  return {
    get length() {
      return length;
    },
    get start() {
      return start === base ? 0 : start;
    },
    get sent() {
      return sent;
    },
    append(bytes, source) {
      const result = queue.then(() => write(bytes, source));
      queue = result.catch(() => undefined);
      return result;
    },
    async read(target, offset) {
      if (offset < base && prefix !== undefined) {
        return prefix.read(target.subarray(0, Math.min(target.length, base - offset)), offset);
      }
      let read = 0;
      for (const chunk of chunks) {
        const from = offset + read - chunk.offset;
        if (from < 0 || from >= chunk.bytes.length) continue;
        const part = chunk.bytes.subarray(from, from + target.length - read);
        target.set(part, read);
        read += part.length;
        if (read === target.length) break;
      }
      return read;
    },
    async truncate(to) {
      if (to !== 0) throw new RangeError('a window can only be emptied');
      hash = createHash('sha256');
      chunks = [];
      sent = [];
      base = length = start = needed = 0;
      await prefix?.discard();
      prefix = undefined;
      drop();
    },
    async actualDigest(): Promise<Digest> {
      await queue;
      return digestFromBytes(hash.copy().digest());
    },
    release(upTo) {
      needed = Math.max(needed, upTo);
      drop();
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      room.resolve();
      await queue;
      await prefix?.discard();
    },
  };
}

async function hashPrefix(prefix: PartialBlob, hash: Hash): Promise<void> {
  const buffer = new Uint8Array(limits.gateway.copyBuffer);
  for (let offset = 0; offset < prefix.length;) {
    const read = await prefix.read(
      buffer.subarray(0, Math.min(buffer.length, prefix.length - offset)),
      offset,
    );
    if (read === 0)
      throw new Error(`the partial of ${prefix.digest} ends at ${offset} of ${prefix.length} bytes`);
    hash.update(buffer.subarray(0, read));
    offset += read;
  }
}
