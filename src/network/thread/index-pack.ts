/** Chunks on their way to the other thread: gathered, because each message costs it a turn, but held no longer than a moment. */
import type { Clock, Timer } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';

const CHUNK = 256 * 1024;

/** How much more may be sent; who waits is woken by `add` and by the signal. */
export interface Credit {
  add(bytes: number): void;
  spend(bytes: number): void;
  /** Resolves when some is left. Throws when aborted. */
  some(): Promise<void>;
}

/** Of a chunk that came from the other thread: its memory, now. Else 60 MB of answer are that much garbage, in pieces, for both threads. */
export function giveBack({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

export function createCredit(bytes: number, signal: AbortSignal): Credit {
  let left = bytes;
  let more = Promise.withResolvers<void>();
  const wake = (): void => {
    more.resolve();
    more = Promise.withResolvers();
  };
  signal.addEventListener('abort', wake, { once: true });
  return {
    add(given) {
      left += given;
      wake();
    },
    spend: (taken) => void (left -= taken),
    async some() {
      while (left <= 0 && !signal.aborted) await more.promise;
      signal.throwIfAborted();
    },
  };
}

export async function packChunks(
  deps: { readonly clock: Clock; readonly credit: Credit; post(bytes: Uint8Array<ArrayBuffer>): void },
  source: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { clock, credit } = deps;
  let parts: Uint8Array[] = [];
  let held = 0;
  let timer: Timer | undefined;
  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    if (held === 0) return;
    const whole = new Uint8Array(held);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    parts = [];
    held = 0;
    credit.spend(whole.length);
    deps.post(whole);
  };
  try {
    for await (const bytes of source) {
      for (let at = 0; at < bytes.length; at += CHUNK) {
        const part = bytes.subarray(at, at + CHUNK);
        parts.push(part);
        held += part.length;
        await credit.some();
        if (held >= CHUNK) flush();
      }
      if (held > 0) timer ??= clock.setTimer(flush, limits.indexChannel.flushAfter);
    }
    await credit.some();
    flush();
  } finally {
    timer?.cancel();
  }
}
