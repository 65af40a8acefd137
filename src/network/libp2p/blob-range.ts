/** A range on its way, as the rest of the program reads it. Leaving it early cancels; `done` is called exactly once. */
import type { OkAnswer } from '../blob-protocol/answers.ts';
import type { RangeAnswer } from '../peer-network.ts';
import type { Incoming } from './blob-opener.ts';

export function rangeAnswer(
  incoming: Incoming,
  ok: OkAnswer,
  options: { readonly signal: AbortSignal | undefined; done(): void },
): RangeAnswer {
  const { signal } = options;
  let finished = false;
  const finish = (): void => {
    if (finished) return;
    finished = true;
    signal?.removeEventListener('abort', leave);
    options.done();
  };
  const leave = (): void => {
    if (finished) return;
    incoming.cancel();
    finish();
  };
  signal?.addEventListener('abort', leave, { once: true });
  // Between the answer and here.
  if (signal?.aborted === true) leave();
  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    signal?.throwIfAborted();
    if (finished) return { done: true, value: undefined };
    try {
      const value = await incoming.next();
      signal?.throwIfAborted();
      if (value) return { done: false, value };
      finish();
      return { done: true, value: undefined };
    } catch (error) {
      finish();
      throw signal?.aborted ? signal.reason : error;
    }
  };
  return {
    blobSize: ok.blobSize,
    offset: ok.offset,
    length: ok.length,
    body: {
      [Symbol.asyncIterator]: () => ({
        next,
        async return() {
          leave();
          return { done: true, value: undefined };
        },
      }),
    },
    async [Symbol.asyncDispose]() {
      leave();
    },
  };
}
