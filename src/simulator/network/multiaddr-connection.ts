/** A simulated socket as libp2p has its connections; the twin of what @libp2p/tcp makes of a real one. */
import { TimeoutError } from '@libp2p/interface';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { AbstractMultiaddrConnectionInit, SendResult } from '@libp2p/utils';
import type { Uint8ArrayList } from 'uint8arraylist';
import type { Kernel } from '../kernel/kernel.ts';
import type { Socket } from './socket.ts';

/** As @libp2p/tcp: silence of both sides for so long ends the connection; microseconds. */
const INACTIVE = 120e6;

export interface SimulatedConnectionInit extends Omit<AbstractMultiaddrConnectionInit, 'inactivityTimeout'> {
  readonly kernel: Kernel;
  readonly socket: Socket;
}

export class SimulatedConnection extends AbstractMultiaddrConnection {
  readonly #kernel: Kernel;
  readonly #socket: Socket;
  #lastActive: number;

  constructor({ kernel, socket, ...init }: SimulatedConnectionInit) {
    super(init);
    this.#kernel = kernel;
    this.#socket = socket;
    this.#lastActive = kernel.now;
    socket.user = {
      data: (bytes) => {
        this.#lastActive = kernel.now;
        this.onData(bytes);
      },
      drained: () => {
        this.#lastActive = kernel.now;
        this.safeDispatchEvent('drain');
      },
      ended: () => this.onTransportClosed(),
      failed: (error) => this.abort(error),
    };
    this.#watchActivity(INACTIVE);
  }

  #watchActivity(wait: number): void {
    const timer = this.#kernel.schedule(wait, 'timer', this.#socket.owner, () => {
      const left = this.#lastActive + INACTIVE - this.#kernel.now;
      if (left > 0) this.#watchActivity(left);
      else this.abort(new TimeoutError());
    });
    const closed = (): void => this.#kernel.cancel(timer);
    this.addEventListener('close', closed, { once: true });
  }

  override sendData(data: Uint8ArrayList): SendResult {
    this.#lastActive = this.#kernel.now;
    // As Node's socket: what is written to one that is gone is lost, and no error; whoever sends learns it by an event.
    if (!this.#socket.open) return { sentBytes: data.byteLength, canSendMore: false };
    // A copy: who sends may use its memory again once this returns.
    return { sentBytes: data.byteLength, canSendMore: this.#socket.write(data.slice()) };
  }

  override async sendClose(): Promise<void> {
    this.#socket.end();
  }

  override sendReset(): void {
    this.#socket.reset();
  }

  override sendPause(): void {
    this.#socket.pause();
  }

  override sendResume(): void {
    this.#socket.resume();
  }
}
