/**
 * Bytes that the upstream's machine sends to a host: through the host's own access line, shared with all its connections.
 * While the link is down they wait, as TCP would send them again; who waits too long gets an error.
 */
import type { Kernel, KernelEvent } from '../kernel/kernel.ts';
import type { Owner } from '../kernel/owner.ts';
import type { LinkSource } from '../network/access-link.ts';
import type { Host } from '../network/host.ts';
import { wireSize } from '../network/segment.ts';

const PIECE = 16_384;
/** Received and not read: what the socket's buffer takes. */
const WINDOW = 16 * PIECE;
const RETRY_FIRST = 200_000;
const RETRY_MAX = 30_000_000;

export interface DownloadGround {
  readonly kernel: Kernel;
  readonly owner: Owner;
  readonly host: Host;
  /** Whether a packet of the upstream's passes now. */
  readonly passes: () => boolean;
  /** Microseconds without a byte after which it breaks. */
  readonly idle: number;
  /** What `read` throws when it broke. */
  readonly broken: (why: string) => Error;
}

export class Download implements LinkSource {
  readonly #ground: DownloadGround;
  readonly #bytes: Uint8Array;
  readonly #received: Uint8Array[] = [];
  /** At the host's line, and not through yet. */
  readonly #underWay: Uint8Array[] = [];
  /** Bytes that were handed to the line, and those that were read. */
  #sent = 0;
  #read = 0;
  #closed = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #idle: KernelEvent | undefined;

  constructor(ground: DownloadGround, bytes: Uint8Array) {
    this.#ground = ground;
    this.#bytes = bytes;
    if (bytes.length > 0) ground.host.downlink.request(this);
  }

  nextSize(): number | undefined {
    const left = Math.min(PIECE, this.#bytes.length - this.#sent);
    if (this.#closed || !this.#ground.owner.alive || left === 0 || this.#sent - this.#read >= WINDOW)
      return undefined;
    return wireSize(left);
  }

  send(end: number): void {
    const { kernel } = this.#ground;
    const piece = this.#bytes.subarray(this.#sent, this.#sent + PIECE);
    this.#sent += piece.length;
    kernel.scheduleInline(end - kernel.now, 'deliver', () => {
      this.#underWay.push(piece);
      if (this.#underWay.length === 1) this.#arrive(RETRY_FIRST);
    });
  }

  /** In order: what is lost keeps back what follows. */
  #arrive(again: number): void {
    const { kernel, owner, passes } = this.#ground;
    if (this.#closed || !owner.alive) return;
    if (!passes()) {
      const next = Math.min(again * 2, RETRY_MAX);
      kernel.scheduleInline(again, 'deliver', () => this.#arrive(next));
      return;
    }
    for (const piece of this.#underWay.splice(0)) {
      kernel.schedule(0, 'deliver', owner, () => {
        kernel.charge(piece.length * kernel.costs.byteReceived);
        this.#received.push(piece);
        this.#wake?.();
      });
    }
  }

  /** In order, as they come; leaving the loop ends it. */
  async *read(): AsyncGenerator<Uint8Array> {
    try {
      while (this.#read < this.#bytes.length) {
        const piece = this.#received.shift() ?? (await this.#next());
        this.#read += piece.length;
        this.#ground.host.downlink.request(this);
        yield piece;
      }
    } finally {
      this.close();
    }
  }

  async #next(): Promise<Uint8Array> {
    const { kernel, owner, idle, broken } = this.#ground;
    this.#idle = kernel.schedule(idle, 'timer', owner, () =>
      this.fail(broken(`no byte for ${idle / 1e6} s`)),
    );
    while (this.#received.length === 0 && this.#failure === undefined && !this.#closed)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    kernel.cancel(this.#idle);
    if (this.#failure) throw this.#failure;
    const piece = this.#received.shift();
    if (piece === undefined) throw broken('it was closed');
    return piece;
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    if (this.#idle) this.#ground.kernel.cancel(this.#idle);
    this.#wake?.();
  }
}
