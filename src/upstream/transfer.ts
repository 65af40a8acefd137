/**
 * One answer as undici brings it: its head, then its body in chunks. In place of undici's own `request`, whose stream and
 * signals cost a cold request 0.3 ms of CPU (all threads, 261 requests of a cold install). Always true: about 64 KiB wait for their reader at most;
 * what was ended brings nothing more; a body ends only where the answer ended.
 */
import type { Dispatcher } from 'undici';

export interface TransferHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const WAITING_BYTES = 64 * 1024;
const TOO_MUCH = new Error('more came of an answer that nobody wants than is read for its connection');

export class Transfer implements Dispatcher.DispatchHandler {
  /** Rejects with what `abort` was given, else with what undici says. */
  readonly head: Promise<TransferHead>;
  readonly #onOver: (() => void)[];
  readonly #head = Promise.withResolvers<TransferHead>();
  #controller: Dispatcher.DispatchController | undefined;
  #chunks: Uint8Array[] = [];
  #waiting = 0;
  #state: 'open' | 'ended' | 'failed' = 'open';
  #failure: unknown;
  #wake: (() => void) | undefined;
  /** Bytes that may still be thrown away; undefined: they have a reader. */
  #discard: number | undefined;

  #isRead = false;

  /** `onOver` is called once, when nothing more can come. */
  constructor(onOver: () => void) {
    this.#onOver = [onOver];
    this.head = this.#head.promise;
    this.head.catch(() => undefined);
  }

  /** Nothing more comes. */
  get over(): boolean {
    return this.#state !== 'open';
  }

  /** Somebody has asked for its body. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** The next chunk; undefined at the end. Throws why there is no more. `wait`: called when there is none yet. */
  async next(wait: () => Disposable): Promise<Uint8Array | undefined> {
    this.#isRead = true;
    for (;;) {
      if (this.#state === 'failed') throw this.#failure;
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#waiting -= chunk.length;
        if (this.#waiting < WAITING_BYTES) this.#controller?.resume();
        return chunk;
      }
      if (this.#state === 'ended') return undefined;
      using _waiting = wait();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Also before there is a connection, and after the end for chunks that were not read. */
  abort(reason: unknown): void {
    if (this.#state === 'failed') return;
    const { over } = this;
    this.#fail(reason);
    if (!over) this.#controller?.abort(reason as Error);
  }

  /** Reads on for nobody, so that the connection can be used again; ends it when there are more bytes than `most`. */
  discard(most: number, done: () => void): void {
    this.#onOver.push(done);
    this.#discard = most - this.#waiting;
    this.#chunks = [];
    this.#waiting = 0;
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#state === 'failed') controller.abort(this.#failure as Error);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: TransferHead['headers'],
  ): void {
    if (status >= 200) this.#head.resolve({ status, headers });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.over) return;
    if (this.#discard !== undefined) {
      this.#discard -= chunk.length;
      if (this.#discard < 0) this.abort(TOO_MUCH);
      return;
    }
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    if (this.#waiting >= WAITING_BYTES) controller.pause();
    this.#wake?.();
  }

  onResponseEnd(): void {
    if (this.over) return;
    this.#state = 'ended';
    this.#wake?.();
    this.#over();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (!this.over) this.#fail(error);
  }

  #fail(reason: unknown): void {
    const { over } = this;
    this.#state = 'failed';
    this.#failure = reason;
    this.#chunks = [];
    this.#head.reject(reason);
    this.#wake?.();
    if (!over) this.#over();
  }

  #over(): void {
    for (const tell of this.#onOver) tell();
  }
}
