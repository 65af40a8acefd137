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

/** What the timer holds. */
class Expiry {
  readonly #signal: WeakRef<AbortSignal>;
  readonly #controllers: WeakMap<AbortSignal, AbortController>;
  #listeners: Set<unknown> | undefined;
  #held: AbortSignal | undefined;
  #forGood = false;

  constructor(controllers: WeakMap<AbortSignal, AbortController>, signal: AbortSignal) {
    this.#controllers = controllers;
    this.#signal = new WeakRef(signal);
  }

  fire(): void {
    const signal = this.#held ?? this.#signal.deref();
    this.#held = undefined;
    const controller = signal && this.#controllers.get(signal);
    controller?.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
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
  const controllers = new WeakMap<AbortSignal, AbortController>();
  const expiries = new WeakMap<AbortSignal, Expiry>();
  return {
    timeout(ms) {
      const controller = new AbortController();
      const { signal } = controller;
      controllers.set(signal, controller);
      const expiry = new Expiry(controllers, signal);
      expiries.set(signal, expiry);
      watchListeners(signal, expiry);
      // Not here: a closure made here would hold the signal.
      setExpiry(kernel, expiry, ms);
      return signal;
    },
    any(signals) {
      const all = [...signals];
      // Node's own dependent signals hold their sources weakly.
      for (const signal of all) expiries.get(signal)?.hold();
      return realAny(all);
    },
  };
}

function setExpiry(kernel: Kernel, expiry: Expiry, ms: number): void {
  kernel.schedule(Math.max(1, Math.trunc(ms)) * 1000, 'timer', kernel.current, () => expiry.fire());
}

function watchListeners(signal: AbortSignal, expiry: Expiry): void {
  const { addEventListener, removeEventListener } = signal;
  Object.defineProperties(signal, {
    addEventListener: {
      value(this: AbortSignal, ...args: Parameters<typeof addEventListener>) {
        addEventListener.apply(this, args);
        expiry.heard(args[1], true);
      },
    },
    removeEventListener: {
      value(this: AbortSignal, ...args: Parameters<typeof removeEventListener>) {
        removeEventListener.apply(this, args);
        expiry.heard(args[1], false);
      },
    },
    onabort: {
      set(listener: unknown) {
        Reflect.set(AbortSignal.prototype, 'onabort', listener, signal);
        expiry.hold();
      },
      get: () => Reflect.get(AbortSignal.prototype, 'onabort', signal) as unknown,
    },
  });
}
