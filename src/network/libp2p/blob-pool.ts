/**
 * Our streams to one peer: one for control, opened first (yamux serves older streams first) and kept, and up to eight for
 * bulk, the one used last taken first. Requests beyond that wait their turn here, users' before others'.
 */
import type { Stream } from '@libp2p/interface';
import { PeerError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Priority } from '../peer-network.ts';
import type { Opener } from './blob-opener.ts';

export interface BlobPool {
  control(): Promise<Opener>;
  /** A stream that is free; `fresh` takes a new one. Give it back with `release`, broken or not. */
  lease(options: { priority: Priority; fresh: boolean; signal?: AbortSignal | undefined }): Promise<Opener>;
  release(opener: Opener): void;
  /** Every stream that is open. */
  readonly openers: Iterable<Opener>;
  close(reason: Error): void;
}

interface Waiter {
  readonly priority: Priority;
  readonly fresh: boolean;
  readonly granted: PromiseWithResolvers<Opener>;
}

export function createBlobPool(deps: {
  readonly peerId: string;
  /** Opens a stream; rejects when that is impossible now. */
  open(): Promise<Stream>;
  wrap(stream: Stream): Opener;
}): BlobPool {
  const all = new Set<Opener>();
  const free: Opener[] = [];
  const waiting: Waiter[] = [];
  let control: Promise<Opener> | undefined;
  let bulk = 0;

  const open = async (): Promise<Opener> => {
    const stream = await deps.open();
    // Beyond the peer's limit of streams `newStream()` gives one that is reset already and tells nobody.
    if (stream.status !== 'open')
      throw new PeerError({ peerId: deps.peerId, failure: 'busy' }, `${deps.peerId} takes no more streams`);
    const opener = deps.wrap(stream);
    all.add(opener);
    stream.addEventListener('close', () => all.delete(opener));
    return opener;
  };
  const takeControl = async (): Promise<Opener> => {
    const before = control;
    const present = await before?.catch(() => undefined);
    if (present && !present.gone) return present;
    // Unless another caller, who waited too, has opened one by now.
    if (control === before) control = undefined;
    control ??= open();
    return await control;
  };
  const takeFree = (): Opener | undefined => {
    for (let opener = free.pop(); opener; opener = free.pop()) {
      if (opener.usable) return opener;
      bulk--;
    }
    return undefined;
  };
  const serve = (): void => {
    while (waiting.length > 0) {
      const best = waiting.reduce((a, b) => (b.priority < a.priority ? b : a));
      const opener = best.fresh ? undefined : takeFree();
      if (!opener && bulk >= limits.blob.bulkStreams) {
        const idle = best.fresh ? takeFree() : undefined;
        if (!idle) return;
        bulk--;
        idle.abort(new Error('makes room for another'));
      }
      waiting.splice(waiting.indexOf(best), 1);
      if (opener) best.granted.resolve(opener);
      else {
        bulk++;
        void openFor(best);
      }
    }
  };
  const openFor = async (waiter: Waiter): Promise<void> => {
    // Called before the bulk stream is opened, not awaited: the order of the calls is the order of the streams.
    const opening = (control ??= open());
    opening.catch(() => {
      if (control === opening) control = undefined;
    });
    try {
      waiter.granted.resolve(await open());
    } catch (error) {
      bulk--;
      waiter.granted.reject(error);
      serve();
    }
  };
  return {
    control: takeControl,
    async lease({ priority, fresh, signal }) {
      const waiter: Waiter = { priority, fresh, granted: Promise.withResolvers() };
      waiting.push(waiter);
      serve();
      if (!signal) return waiter.granted.promise;
      const onAbort = (): void => {
        const at = waiting.indexOf(waiter);
        if (at >= 0) waiting.splice(at, 1);
        // Granted meanwhile: nobody will use it.
        else waiter.granted.promise.then(release, () => undefined);
        waiter.granted.reject(signal.reason);
        aborted.reject(signal.reason);
      };
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        return await Promise.race([waiter.granted.promise, aborted.promise]);
      } finally {
        signal.removeEventListener('abort', onAbort);
        aborted.promise.catch(() => undefined);
      }
    },
    release,
    openers: all,
    close(reason) {
      for (const opener of all) opener.abort(reason);
      for (const waiter of waiting.splice(0)) waiter.granted.reject(reason);
    },
  };

  function release(opener: Opener): void {
    if (opener.usable) free.push(opener);
    else bulk--;
    serve();
  }
}
