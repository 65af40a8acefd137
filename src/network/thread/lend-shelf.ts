/**
 * Lends the shelf to the network's thread. Sizes are copied there as they change, so that HAVE is answered from that
 * thread's memory; an opened blob is read there through its descriptor where it has one, else by messages.
 */
import type { Digest } from '../../core/digest.ts';
import type { FactEmitter } from '../../core/facts.ts';
import type { Shelf, ShelfReader } from '../peer-network.ts';
import type { FromNetwork, Port, ToNetwork } from './messages.ts';

/** Sizes sent in one message at the start. */
const BATCH = 4096;

export interface ShelfLending {
  start(): void;
  take(message: Extract<FromNetwork, { kind: `shelf-${string}` }>): void;
  stop(): void;
}

export function lendShelf(deps: {
  shelf: Shelf;
  port: Port<ToNetwork, FromNetwork>;
  facts: FactEmitter;
}): ShelfLending {
  const { shelf, port, facts } = deps;
  const open = new Map<number, Promise<ShelfReader | undefined>>();
  const unsubscribe: (() => void)[] = [];
  const removed = ({ digest }: { digest: Digest }): void =>
    port.post({ kind: 'shelf', added: [], removed: [digest] });

  const lend = async (id: number, digest: Digest): Promise<void> => {
    const opening = shelf.open(digest);
    open.set(id, opening);
    const reader = await opening.catch(() => undefined);
    if (!open.has(id)) return reader?.[Symbol.asyncDispose]();
    if (reader !== undefined) {
      port.post({ kind: 'shelf-opened', id, size: reader.size, descriptor: reader.descriptor });
      return;
    }
    open.delete(id);
    port.post({ kind: 'shelf-absent', id });
  };
  const read = async (message: Extract<FromNetwork, { kind: 'shelf-read' }>): Promise<void> => {
    const { id, read: number, offset, length } = message;
    try {
      const reader = await open.get(id);
      const bytes = new Uint8Array(length);
      const count = (await reader?.read(bytes, offset)) ?? 0;
      port.post({ kind: 'shelf-bytes', id, read: number, bytes: bytes.subarray(0, count) }, [bytes.buffer]);
    } catch (error) {
      port.post({ kind: 'shelf-failed', id, read: number, message: (error as Error).message });
    }
  };
  const giveBack = async (id: number): Promise<void> => {
    const opening = open.get(id);
    open.delete(id);
    const reader = await opening?.catch(() => undefined);
    await reader?.[Symbol.asyncDispose]();
  };

  return {
    start() {
      if (shelf.folder !== undefined) port.post({ kind: 'shelf-folder', folder: shelf.folder });
      let added: (readonly [Digest, number])[] = [];
      const flush = (): void => {
        if (added.length > 0) port.post({ kind: 'shelf', added, removed: [] });
        added = [];
      };
      // Oldest first, as they would have come one by one: the copy keeps that order.
      for (const digest of [...shelf.shared()].toReversed()) {
        const size = shelf.size(digest);
        if (size !== undefined) added.push([digest, size]);
        if (added.length >= BATCH) flush();
      }
      flush();
      unsubscribe.push(
        facts.on('blob:added', ({ digest }) => {
          const size = shelf.size(digest);
          if (size !== undefined) port.post({ kind: 'shelf', added: [[digest, size]], removed: [] });
        }),
        facts.on('blob:evicted', removed),
        facts.on('blob:corrupt', removed),
        facts.on('blob:hidden', removed),
      );
    },
    take(message) {
      if (message.kind === 'shelf-open') void lend(message.id, message.digest);
      else if (message.kind === 'shelf-read') void read(message);
      else if (message.kind === 'shelf-close') void giveBack(message.id);
      else shelf.reportCorrupt(message.digest);
    },
    stop() {
      for (const stop of unsubscribe) stop();
      for (const id of open.keys()) void giveBack(id);
    },
  };
}
