/**
 * The twin of mortice, libp2p's lock of one peer in its peer store. The stock one finds a lock by name for the whole process:
 * nodes in one process would wait for each other, and go on in each other's events. This one is its maker's alone and grants
 * in the same order at the same times (readers together; a writer no sooner than 1 ms after the last reader before it, which
 * is when the stock queue tells that it is idle), with a timer only where somebody waits for it.
 */
/* oxlint-disable eslint/no-restricted-globals, import/no-default-export -- stands where a module of libp2p's stood, and its clock is the kernel's */

/** Where this module is: what loads in the place of `mortice`. */
export const peerLockUrl = import.meta.url;

interface LockOptions {
  readonly signal?: AbortSignal;
}
type Release = () => void;

/** Readers that hold it together, or one writer. */
interface Turn {
  readonly reads: boolean;
  readonly waiting: Set<() => void>;
  holders: number;
  /** When the last reader let go: then the turn lasts another millisecond. */
  idleSince: number | undefined;
}

const READERS_LINGER = 1;

class PeerLock {
  /** The first is under way. */
  readonly #turns: Turn[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  readLock(options?: LockOptions): Promise<Release> {
    this.#endIdleTurn();
    const last = this.#turns.at(-1);
    return this.#join(last?.reads === true ? last : this.#addTurn(true), options);
  }

  writeLock(options?: LockOptions): Promise<Release> {
    this.#endIdleTurn();
    return this.#join(this.#addTurn(false), options);
  }

  finalize(): void {}

  #addTurn(reads: boolean): Turn {
    const turn = { reads, waiting: new Set<() => void>(), holders: 0, idleSince: undefined };
    this.#turns.push(turn);
    return turn;
  }

  #join(turn: Turn, { signal }: LockOptions = {}): Promise<Release> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(aborted(signal));
      const grant = (): void => {
        signal?.removeEventListener('abort', onAbort);
        turn.waiting.delete(grant);
        turn.holders++;
        let held = true;
        resolve(() => {
          if (held) this.#release(turn);
          held = false;
        });
      };
      const onAbort = (): void => {
        turn.waiting.delete(grant);
        reject(aborted(signal as AbortSignal));
        this.#proceed();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      turn.waiting.add(grant);
      this.#proceed();
    });
  }

  #release(turn: Turn): void {
    turn.holders--;
    if (turn.reads && turn.holders === 0) turn.idleSince = performance.now();
    this.#proceed();
  }

  /** Lets in who may hold it now. */
  #proceed(): void {
    for (;;) {
      const turn = this.#turns[0];
      if (turn === undefined) return;
      if (turn.waiting.size > 0 && (turn.reads || turn.holders === 0)) {
        turn.idleSince = undefined;
        for (const grant of turn.waiting) {
          grant();
          if (!turn.reads) break;
        }
      }
      if (turn.holders > 0 || this.#lingers(turn)) return;
      this.#turns.shift();
    }
  }

  /** Nobody waits for a turn's end: no timer, it is looked at when the next one comes. */
  #lingers({ idleSince }: Turn): boolean {
    if (idleSince === undefined) return false;
    const left = idleSince + READERS_LINGER - performance.now();
    if (left <= 0) return false;
    if (this.#turns.length > 1 && this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#proceed();
      }, left);
    }
    return true;
  }

  #endIdleTurn(): void {
    if (this.#turns.length === 1) this.#proceed();
  }
}

export default function createPeerLock(): PeerLock {
  return new PeerLock();
}

function aborted(signal: AbortSignal): Error {
  return Object.assign(new Error('no longer wanted', { cause: signal.reason }), { name: 'AbortError' });
}
