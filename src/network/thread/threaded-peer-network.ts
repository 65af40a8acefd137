/**
 * A PeerNetwork whose libp2p runs in another thread: this side, on the gateway's thread. A thread that ends by itself costs
 * nobody here anything but the peers: the network is `off`, nobody is asked, and after a pause a new thread begins.
 */
import { type Clock, deadline, type Timer } from '../../core/clock.ts';
import { PeerError, UnavailableError } from '../../core/errors.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { Holder, NetworkStatus, PeerCallOptions, PeerNetwork, Shelf, Verdict } from '../peer-network.ts';
import { createLastingIndex } from './index-lasting.ts';
import type { NetworkThread } from './messages.ts';
import { silentStatus } from '../silent-status.ts';
import { beginThreadLife, type ThreadLife } from './thread-life.ts';

export interface ThreadedNetworkDeps {
  /** The first thread, begun already: it loads while the folder is opened. */
  readonly first: NetworkThread;
  /** Another, which is to listen where the one before did. */
  readonly start: (before: readonly string[]) => NetworkThread;
  readonly clock: Clock;
  readonly shelf: Shelf;
  readonly facts: FactEmitter;
}

/** Resolves when the first thread's network listens; throws its ConfigurationError when it cannot. */
export async function createThreadedPeerNetwork(deps: ThreadedNetworkDeps): Promise<PeerNetwork> {
  const { clock, facts } = deps;
  const { threadPause, threadPauseMax, threadVerdicts, threadStatusTime } = limits.network;
  const first = await beginThreadLife(deps.first, deps);
  const { peerId } = first;
  const closing = new AbortController();
  const index = createLastingIndex();
  const past = { uploadedBytes: 0, busyAnswers: 0 };
  const unheard: { peerId: string; verdict: Verdict }[] = [];
  let life: ThreadLife | undefined;
  let begun = Promise.withResolvers<void>();
  let working: Promise<void> = Promise.resolve();
  let pause: number = threadPause;
  let timer: Timer | undefined;
  let before: readonly string[] = [];

  const live = (fresh: ThreadLife): void => {
    const since = clock.monotonic();
    life = fresh;
    index.begin(fresh.index);
    begun.resolve();
    for (const { peerId: peer, verdict } of unheard.splice(0)) fresh.judge(peer, verdict);
    void fresh.ended.then((reason) => {
      const { uploadedBytes, busyAnswers } = fresh.status();
      past.uploadedBytes += uploadedBytes;
      past.busyAnswers += busyAnswers;
      before = fresh.multiaddrs();
      life = undefined;
      index.end();
      begun = Promise.withResolvers();
      if (clock.monotonic() - since >= threadPauseMax) pause = threadPause;
      return failed(reason ?? new Error('terminated'));
    });
  };
  const failed = (reason: Error): void => {
    if (closing.signal.aborted) return;
    const what = reason.stack ?? reason.message;
    const next = `the peer network is off and begins anew in ${pause / 1000} s`;
    facts.emit('program:failed', { message: `the network's thread ended (${next}): ${what}` });
    timer = clock.setTimer(() => {
      working = begin();
    }, pause);
    pause = Math.min(pause * 2, threadPauseMax);
  };
  const begin = async (): Promise<void> => {
    const thread = deps.start(before);
    const stop = (): void => void thread.terminate();
    closing.signal.addEventListener('abort', stop, { once: true });
    try {
      live(await beginThreadLife(thread, deps));
    } catch (error) {
      // Perhaps its port is another's now.
      before = [];
      failed(error as Error);
    } finally {
      closing.signal.removeEventListener('abort', stop);
    }
  };
  live(first);

  const status = (): NetworkStatus => {
    const now = life?.status() ?? silentStatus('off');
    return {
      ...now,
      uploadedBytes: past.uploadedBytes + now.uploadedBytes,
      busyAnswers: past.busyAnswers + now.busyAnswers,
    };
  };
  const peerConnected = async (options: PeerCallOptions = {}): Promise<void> => {
    const { signal } = options;
    for (;;) {
      const current = life;
      try {
        if (current !== undefined) return await current.peerConnected(options);
      } catch (error) {
        // Its thread may have ended first: the next one's peers will do.
        if (life === current || signal?.aborted === true) throw error;
      }
      if (life === undefined) await unlessAborted(begun.promise, closing.signal, signal);
    }
  };
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const current = life;
    closing.abort(new UnavailableError('the network is closed'));
    timer?.cancel();
    await working;
    await current?.[Symbol.asyncDispose]();
    await life?.[Symbol.asyncDispose]();
  };

  return {
    peerId,
    multiaddrs: () => life?.multiaddrs() ?? [],
    status,
    ask: (digest, options) => life?.ask(digest, options) ?? nobody(),
    find: (digest, options) => life?.find(digest, options) ?? nobody(),
    async range(peer, request) {
      if (life !== undefined) return life.range(peer, request);
      throw new PeerError({ peerId: peer, failure: 'unreachable' }, 'the peer network is off');
    },
    // A new thread reads off the shelf what there is.
    advertise: (digest) => life?.advertise(digest),
    withdraw: (digest) => life?.withdraw(digest),
    judge(peer, verdict) {
      if (life !== undefined) life.judge(peer, verdict);
      else if (unheard.length < threadVerdicts) unheard.push({ peerId: peer, verdict });
    },
    index: index.channel,
    async refreshStatus() {
      using limit = deadline(clock, threadStatusTime);
      await life?.refreshed({ signal: limit.signal }).catch(() => undefined);
    },
    peerConnected,
    [Symbol.asyncDispose]: () => (closed ??= close()),
  };
}

async function* nobody(): AsyncGenerator<Holder> {
  // Nothing to yield: there is no network now.
}

/** Waits for `promise`, unless one of the signals comes first. */
async function unlessAborted(
  promise: Promise<void>,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<void> {
  const signal = AbortSignal.any(signals.filter((one) => one !== undefined));
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
