/**
 * A relay that lies about the index: what it passes on is altered, kept back, or long past. It has no publisher's key: what it
 * makes up is never validly signed.
 */
import { sleep, type Clock } from '../../core/clock.ts';
import type { IndexChannel } from '../../network/index-channel.ts';
import type { Misbehaviour } from '../scenario/scenario.ts';

const EVERY = 20_000;
const REMEMBERED = 256;

export interface LyingIndexDeps {
  readonly does: (behaviour: Misbehaviour) => boolean;
  readonly clock: Clock;
  /** Whose life it ends with. */
  readonly owner: { readonly alive: boolean };
}

export function createLyingIndex(honest: IndexChannel, { does, clock, owner }: LyingIndexDeps): IndexChannel {
  /** Announcements as they came, oldest first. */
  const heard: Uint8Array[] = [];

  /** What it tells everybody now. */
  function lie(): Uint8Array | undefined {
    const [oldest, newest] = [heard[0], heard.at(-1)];
    if (does('forged') && newest) return altered(newest);
    if (does('rolled-back') && oldest) return oldest;
    return does('stale') ? heard[Math.floor(heard.length / 2)] : undefined;
  }

  async function tellLies(): Promise<void> {
    while (owner.alive) {
      await sleep(clock, EVERY);
      const message = lie();
      if (message !== undefined) await honest.publish(message);
    }
  }
  tellLies().catch(() => undefined);

  return {
    peers: () => honest.peers(),
    onPeer: (listener) => honest.onPeer(listener),
    request: (peerId, request, options) => honest.request(peerId, request, options),
    serve: (handler) =>
      honest.serve(async function* (peerId, request, aborted) {
        // The past has no news.
        if (does('stale') || does('rolled-back')) return;
        for await (const chunk of handler(peerId, request, aborted))
          yield does('forged') ? altered(chunk) : chunk;
      }),
    publish: (message) => honest.publish(message),
    onMessage: (validate) =>
      honest.onMessage(async (peerId, message) => {
        const verdict = await validate(peerId, message);
        if (verdict === 'accept' && heard.length < REMEMBERED) heard.push(message.slice());
        return verdict;
      }),
    putValue: (key, value, options) => honest.putValue(key, value, options),
    getValue: (key, options) => honest.getValue(key, options),
  };
}

/** Of the same length, one byte other. */
function altered(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const at = Math.floor(copy.length / 2);
  copy[at] = (copy[at] ?? 0) ^ 0x55;
  return copy;
}
