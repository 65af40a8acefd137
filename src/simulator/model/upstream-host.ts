/**
 * The machine that the index is on, as near to every node as a CDN, and how nodes ask it. A request is an event that travels:
 * it is lost where the network is cut, and what is answered is the index as it is when the request arrives.
 */
import { UpstreamError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Kernel, KernelEvent } from '../kernel/kernel.ts';
import type { Owner } from '../kernel/owner.ts';
import type { Host } from '../network/host.ts';
import type { LinkState } from '../network/link-state.ts';
import { UPSTREAM } from '../scenario/scenario-host.ts';
import { Download } from './download.ts';

/** One way between any host and the nearest edge, and what the edge needs; microseconds. */
const LATENCY = 10_000;
const SERVICE = 5_000;
/** A request goes again after so long without an answer, counted from the first: TCP's way with a lost SYN. */
const AGAIN = [0, 1, 3, 7].map((s) => s * 1e6);

export type UpstreamFault = 'blackhole' | 'reject';

export interface UpstreamHostDeps {
  readonly kernel: Kernel;
  readonly links: LinkState;
  /** A packet to or from it was lost in the network. */
  readonly onCut: (from: number, to: number) => void;
  /** A request reached it while it was down, by these faults. */
  readonly onUnanswered: (faults: readonly string[]) => void;
}

export interface Asker {
  readonly host: Host;
  readonly owner: Owner;
}

export class UpstreamHost {
  readonly #deps: UpstreamHostDeps;
  /** What is wrong with it now; the stronger of several. */
  readonly #faults = new Map<string, UpstreamFault>();

  constructor(deps: UpstreamHostDeps) {
    this.#deps = deps;
  }

  begin(id: string, fault: UpstreamFault): void {
    this.#faults.set(id, fault);
  }

  end(id: string): void {
    this.#faults.delete(id);
  }

  /** Whether a request of this host would be answered now: the observer's truth. */
  isOpenTo(host: number): boolean {
    const { links, kernel } = this.#deps;
    return (
      this.#faults.size === 0 &&
      links.mode(host, UPSTREAM, kernel.now) === 'up' &&
      links.mode(UPSTREAM, host, kernel.now) === 'up'
    );
  }

  /** Resolves to what `answer` gave when the request arrived there. @throws UpstreamError, or the signal's reason */
  ask<T>({ host, owner }: Asker, url: string, answer: () => T, signal?: AbortSignal): Promise<T> {
    const { kernel, onUnanswered } = this.#deps;
    const events = new Set<KernelEvent>();
    return new Promise((resolve, reject) => {
      let done = false;
      const finish = (settle: () => void): void => {
        if (done) return;
        done = true;
        for (const event of events) kernel.cancel(event);
        signal?.removeEventListener('abort', onAbort);
        if (owner.alive) kernel.schedule(0, 'deliver', owner, settle);
      };
      const fail = (why: string): void => finish(() => reject(new UpstreamError({ url }, `${url}: ${why}`)));
      const onAbort = (): void => finish(() => reject(signal?.reason as Error));
      const later = (delay: number, run: () => void): void =>
        void events.add(kernel.scheduleInline(delay, 'deliver', run));
      const arrive = (): void => {
        const faults = [...this.#faults.values()];
        if (faults.length > 0) onUnanswered([...this.#faults.keys()]);
        if (faults.includes('blackhole')) return;
        if (faults.length > 0) return later(LATENCY, () => fail('ECONNREFUSED'));
        const value = answer();
        later(SERVICE + LATENCY, () => {
          if (this.#passes(UPSTREAM, host.index)) finish(() => resolve(value));
        });
      };
      const send = (): void => {
        const mode = this.#mode(host.index, UPSTREAM);
        if (mode === 'reject') later(LATENCY, () => fail('ECONNREFUSED'));
        else if (mode === 'up') later(LATENCY, arrive);
      };
      if (signal?.aborted) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      for (const delay of AGAIN) later(delay, send);
      later(limits.upstream.connectTime * 1000, () =>
        fail(`no answer within ${limits.upstream.connectTime / 1000} s`),
      );
    });
  }

  download({ host, owner }: Asker, url: string, bytes: Uint8Array): Download {
    return new Download(
      {
        kernel: this.#deps.kernel,
        owner,
        host,
        passes: () => this.#faults.size === 0 && this.#passes(UPSTREAM, host.index),
        idle: limits.upstream.bodyIdle * 1000,
        broken: (why) => new UpstreamError({ url }, `${url}: ${why}`),
      },
      bytes,
    );
  }

  #passes(from: number, to: number): boolean {
    return this.#mode(from, to) === 'up';
  }

  #mode(from: number, to: number): ReturnType<LinkState['mode']> {
    const mode = this.#deps.links.mode(from, to, this.#deps.kernel.now);
    if (mode !== 'up') this.#deps.onCut(from, to);
    return mode;
  }
}
