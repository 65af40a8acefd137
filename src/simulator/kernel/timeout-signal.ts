/**
 * `AbortSignal.timeout` in virtual time. Nobody can take such a timer back, and libp2p makes one for every stream: until it
 * is due it holds its signal only while somebody listens to that. A signal that nobody listens to and nobody holds fires for
 * nobody, so the garbage collector decides nothing.
 */
import type { Kernel } from './kernel.ts';

export interface TimeoutSignals {
  timeout(ms: number): AbortSignal;
  any(signals: Iterable<AbortSignal>): AbortSignal;
}

/** On a signal that {@link createTimeoutSignals} made: no weak maps, which cost the garbage collector more. */
const ownExpiry = Symbol('expiry');
const ownController = Symbol('controller');

interface TimeoutSignal extends AbortSignal {
  [ownExpiry]?: Expiry;
  [ownController]?: AbortController;
}

/** What the timer holds. */
class Expiry {
  readonly #signal: WeakRef<TimeoutSignal>;
  #listeners: Set<unknown> | undefined;
  #held: TimeoutSignal | undefined;
  #forGood = false;

  constructor(signal: TimeoutSignal) {
    this.#signal = new WeakRef(signal);
  }

  get deaf(): boolean {
    return this.#held === undefined;
  }

  fire(): void {
    const signal = this.#held ?? this.#signal.deref();
    this.#held = undefined;
    signal?.[ownController]?.abort(
      new DOMException('The operation was aborted due to timeout', 'TimeoutError'),
    );
  }

  hold(): void {
    this.#forGood = true;
    this.#settle();
  }

  heard(listener: unknown, listens: boolean): void {
    if (listens) (this.#listeners ??= new Set()).add(listener);
    else this.#listeners?.delete(listener);
    if (this.#listeners?.size === 0) this.#listeners = undefined;
    this.#settle();
  }

  #settle(): void {
    this.#held = this.#forGood || this.#listeners ? this.#signal.deref() : undefined;
  }
}

export function createTimeoutSignals(kernel: Kernel): TimeoutSignals {
  const realAny = AbortSignal.any.bind(AbortSignal);
  watchListeners();
  return {
    timeout(ms) {
      const controller = new AbortController();
      const signal: TimeoutSignal = controller.signal;
      const expiry = new Expiry(signal);
      signal[ownController] = controller;
      signal[ownExpiry] = expiry;
      // Not here: a closure made here would hold the signal.
      setExpiry(kernel, expiry, ms);
      return signal;
    },
    any(signals) {
      const all = [...signals];
      // Node's own dependent signals hold their sources weakly.
      for (const signal of all as TimeoutSignal[]) signal[ownExpiry]?.hold();
      return realAny(all);
    },
  };
}

function setExpiry(kernel: Kernel, expiry: Expiry, ms: number): void {
  const delay = Math.max(1, Math.trunc(ms)) * 1000;
  const event = kernel.schedule(delay, 'timer', kernel.current, () => expiry.fire());
  event.deaf = () => expiry.deaf;
}

/** On the prototype of all signals, so that one that nobody listens to costs nothing. */
function watchListeners(): void {
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  const onabort = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'onabort') as {
    get(this: AbortSignal): unknown;
    set(this: AbortSignal, listener: unknown): void;
  };
  Object.defineProperties(AbortSignal.prototype, {
    addEventListener: {
      configurable: true,
      writable: true,
      value(this: TimeoutSignal, ...args: Parameters<typeof addEventListener>) {
        addEventListener.apply(this, args);
        this[ownExpiry]?.heard(args[1], true);
      },
    },
    removeEventListener: {
      configurable: true,
      writable: true,
      value(this: TimeoutSignal, ...args: Parameters<typeof removeEventListener>) {
        removeEventListener.apply(this, args);
        this[ownExpiry]?.heard(args[1], false);
      },
    },
    onabort: {
      configurable: true,
      enumerable: true,
      get: onabort.get,
      set(this: TimeoutSignal, listener: unknown) {
        onabort.set.call(this, listener);
        this[ownExpiry]?.hold();
      },
    },
  });
}
