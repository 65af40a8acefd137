/**
 * One question to several peers, the likeliest first, each asked when the one before has nothing. Beside one that is silent the next is
 * asked, and the first again: it tells of a head before it has its record. Must always hold: one answer at a time is read;
 * who was only slower than it may still be asked.
 */
import { type Clock, sleep } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { limits } from '../../core/limits.ts';
import type { IndexAsker } from './ask-index.ts';
import type { Refusals } from './refusals.ts';

export interface AnswerTurnsDeps {
  readonly clock: Clock;
  readonly refusals: Pick<Refusals, 'caught' | 'silent'>;
  /** Whose log it is about. */
  readonly origin: string;
}

export interface Answer<T> {
  readonly peer: string;
  /** At least one. Read it to its end, or leave it. */
  readonly items: AsyncIterable<T>;
}

interface Attempt<T> {
  readonly peer: string;
  readonly stop: AbortController;
  /** Undefined: nothing, or an error, which was noted. */
  readonly answered: Promise<{ readonly of: Attempt<T>; readonly items: AsyncIterable<T> | undefined }>;
}

export class AnswerTurns<T> {
  readonly #deps: AnswerTurnsDeps;
  readonly #open: (peer: string, signal: AbortSignal) => AsyncIterable<T>;
  readonly #signal: AbortSignal;
  readonly #left: string[];
  /** The likeliest, once it had nothing. */
  #again: string | undefined;
  readonly #first: string | undefined;

  constructor(
    deps: AnswerTurnsDeps,
    peers: readonly string[],
    open: (peer: string, signal: AbortSignal) => AsyncIterable<T>,
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#left = [...peers];
    this.#first = peers[0];
    this.#open = open;
    this.#signal = signal;
  }

  /** Undefined: nobody is left. Call it again when the answer before was not enough. */
  async next(): Promise<Answer<T> | undefined> {
    const { clock, refusals } = this.#deps;
    const running = new Set<Attempt<T>>();
    try {
      this.#start(running, this.#left.shift());
      while (running.size > 0) {
        const waiting = new AbortController();
        const silence = sleep(clock, limits.follow.answerPatience, waiting.signal).catch(() => undefined);
        const answer = await Promise.race([silence, ...[...running].map(({ answered }) => answered)]);
        waiting.abort();
        this.#signal.throwIfAborted();
        if (answer === undefined) {
          for (const { peer } of running) refusals.silent(peer);
          this.#start(running, this.#left.shift());
          this.#start(running, this.#again);
          this.#again = undefined;
          continue;
        }
        const { of, items } = answer;
        running.delete(of);
        if (items !== undefined) return { peer: of.peer, items };
        if (of.peer === this.#first) this.#again = of.peer;
        if (running.size === 0) this.#start(running, this.#left.shift());
      }
      return undefined;
    } finally {
      for (const { peer, stop } of running) {
        stop.abort(new DOMException('another peer was quicker', 'AbortError'));
        this.#left.push(peer);
      }
    }
  }

  #start(running: Set<Attempt<T>>, peer: string | undefined): void {
    if (peer === undefined) return;
    const stop = new AbortController();
    const items = this.#open(peer, AbortSignal.any([stop.signal, this.#signal]))[Symbol.asyncIterator]();
    const attempt: Attempt<T> = {
      peer,
      stop,
      answered: this.#begin(peer, items, stop.signal).then((begun) => ({ of: attempt, items: begun })),
    };
    running.add(attempt);
  }

  async #begin(
    peer: string,
    items: AsyncIterator<T>,
    stopped: AbortSignal,
  ): Promise<AsyncIterable<T> | undefined> {
    try {
      const first = await items.next();
      return first.done === true ? undefined : goOn(first.value, items);
    } catch (error) {
      if (!stopped.aborted && !this.#signal.aborted)
        this.#deps.refusals.caught(error, this.#deps.origin, peer);
      return undefined;
    }
  }
}

/** What peers say is the object of this digest: check it. */
export async function* askForObject(
  deps: AnswerTurnsDeps & { readonly asker: Pick<IndexAsker, 'object'> },
  peers: readonly string[],
  digest: Digest,
  signal: AbortSignal,
): AsyncGenerator<{ readonly peer: string; readonly bytes: Uint8Array }> {
  const open = async function* (peer: string, stop: AbortSignal): AsyncGenerator<Uint8Array> {
    const bytes = await deps.asker.object(peer, digest, stop);
    if (bytes !== undefined) yield bytes;
  };
  const turns = new AnswerTurns(deps, peers, open, signal);
  for (let answer = await turns.next(); answer !== undefined; answer = await turns.next())
    for await (const bytes of answer.items) yield { peer: answer.peer, bytes };
}

async function* goOn<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T> {
  try {
    yield first;
    for (let item = await rest.next(); item.done !== true; item = await rest.next()) yield item.value;
  } finally {
    await rest.return?.();
  }
}
