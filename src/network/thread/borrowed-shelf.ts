/** The shelf as the network's thread sees it: sizes from a copy in its own memory, bytes by descriptor or by message. */
import { closeSync, openSync, read as readDescriptor, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { UnavailableError } from '../../core/errors.ts';
import type { Shelf, ShelfReader } from '../peer-network.ts';
import type { FromNetwork, Port, ToNetwork } from './messages.ts';

type ShelfMessage = Extract<ToNetwork, { kind: 'shelf' | `shelf-${string}` }>;

export interface BorrowedShelf extends Shelf {
  take(message: ShelfMessage): void;
}

/**
 * Two reads in a row that take longer, ms, say that the disk is slow: for a while no other keeps this thread waiting. One
 * alone may have been the scheduler's doing.
 */
const SLOW_READ = 50;
const SLOW_FOR = 10_000;

export function borrowShelf(
  port: Port<FromNetwork, ToNetwork>,
  clock: Pick<Clock, 'monotonic'>,
): BorrowedShelf {
  const sizes = new Map<Digest, number>();
  let folder: string | undefined;
  let slowUntil = -Infinity;
  let wasSlow = false;
  const opening = new Map<number, { digest: Digest; resolve(reader: ShelfReader | undefined): void }>();
  const reading = new Map<number, { resolve(bytes: Uint8Array): void; reject(error: Error): void }>();
  let lastId = 0;
  let lastRead = 0;

  const readByMessage = (id: number, target: Uint8Array, offset: number): Promise<number> => {
    const read = ++lastRead;
    const answer = new Promise<Uint8Array>((resolve, reject) => reading.set(read, { resolve, reject }));
    port.post({ kind: 'shelf-read', id, read, offset, length: target.length });
    return answer.then((bytes) => {
      target.set(bytes);
      return bytes.length;
    });
  };
  const createReader = (
    id: number,
    digest: Digest,
    { size, descriptor }: { size: number; descriptor: number | undefined },
  ): ShelfReader => {
    let closed = false;
    let pending = 0;
    const release = (): void => {
      // The descriptor is the other thread's to close: not before our reads have come back.
      if (closed && pending === 0) port.post({ kind: 'shelf-close', id });
    };
    return {
      size,
      async read(target, offset) {
        if (closed) throw new UnavailableError('the blob was closed');
        pending++;
        try {
          const count = await (descriptor === undefined
            ? readByMessage(id, target, offset)
            : readFile(descriptor, target, offset));
          // Its owner would not read on where it proved wrong, and what became private meanwhile is not for peers.
          if (!sizes.has(digest)) throw new UnavailableError(`${digest} is not shared any more`);
          return count;
        } finally {
          pending--;
          release();
        }
      },
      async [Symbol.asyncDispose]() {
        if (closed) return;
        closed = true;
        release();
      },
    };
  };

  return {
    size: (digest) => sizes.get(digest),
    open(digest) {
      if (!sizes.has(digest)) return Promise.resolve(undefined);
      const id = ++lastId;
      return new Promise((resolve) => {
        opening.set(id, { digest, resolve });
        port.post({ kind: 'shelf-open', id, digest });
      });
    },
    // 30 microseconds, against 400 for asking the other thread to open it and three turns of the thread pool.
    readWhole(digest, target) {
      const start = clock.monotonic();
      if (folder === undefined || !sizes.has(digest) || start < slowUntil) return undefined;
      const count = readFileWhole(join(folder, digest.slice(0, 2), digest), target);
      const end = clock.monotonic();
      const isSlow = end - start > SLOW_READ;
      if (isSlow && wasSlow) slowUntil = end + SLOW_FOR;
      wasSlow = isSlow;
      return count;
    },
    reportCorrupt(digest) {
      sizes.delete(digest);
      port.post({ kind: 'shelf-corrupt', digest });
    },
    shared: () => [...sizes.keys()].toReversed(),
    take(message) {
      if (message.kind === 'shelf') {
        for (const [digest, size] of message.added) sizes.set(digest, size);
        for (const digest of message.removed) sizes.delete(digest);
      } else if (message.kind === 'shelf-folder') folder = message.folder;
      else if (message.kind === 'shelf-opened' || message.kind === 'shelf-absent') {
        const waiter = opening.get(message.id);
        opening.delete(message.id);
        if (message.kind === 'shelf-absent') waiter?.resolve(undefined);
        else if (waiter !== undefined) waiter.resolve(createReader(message.id, waiter.digest, message));
      } else {
        const waiter = reading.get(message.read);
        reading.delete(message.read);
        if (message.kind === 'shelf-bytes') waiter?.resolve(message.bytes);
        else waiter?.reject(new UnavailableError(message.message));
      }
    },
  };
}

/** Undefined when it cannot be read: its owner will know why. */
function readFileWhole(path: string, target: Uint8Array): number | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    return readSync(descriptor, target, 0, target.length, 0);
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readFile(descriptor: number, target: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    readDescriptor(descriptor, target, 0, target.length, offset, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}
