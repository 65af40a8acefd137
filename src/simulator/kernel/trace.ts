/**
 * What a run did, as one hash: every delivery (time, from, to, connection, size, payload) and, now and then, each node's
 * state. Two runs of one seed give equal hashes or something is not deterministic.
 */
import { createHash, type Hash } from 'node:crypto';

export interface Delivery {
  /** Microseconds. */
  readonly at: number;
  /** Hosts. */
  readonly from: number;
  readonly to: number;
  readonly connection: number;
  readonly payload: Uint8Array;
}

const HEAD_BYTES = 32;

export class Trace {
  readonly #hash: Hash = createHash('sha256');
  readonly #head = Buffer.alloc(HEAD_BYTES);
  /** With payloads, sizes and times stand for them where bytes cannot repeat. */
  readonly #payloads: boolean;
  /** Called for each line that is hashed: to find where two runs part. */
  readonly onLine: ((line: string) => void) | undefined;
  deliveries = 0;

  constructor(options: { readonly payloads: boolean; readonly onLine?: (line: string) => void }) {
    this.#payloads = options.payloads;
    this.onLine = options.onLine;
  }

  delivered({ at, from, to, connection, payload }: Delivery): void {
    this.deliveries++;
    const head = this.#head;
    head.writeDoubleLE(at, 0);
    head.writeInt32LE(from, 8);
    head.writeInt32LE(to, 12);
    head.writeDoubleLE(connection, 16);
    head.writeDoubleLE(payload.length, 24);
    this.#hash.update(head);
    if (this.#payloads) this.#hash.update(payload);
    if (this.onLine === undefined) return;
    const digest = this.#payloads ? createHash('sha256').update(payload).digest('hex').slice(0, 16) : '';
    this.onLine(`${at} ${from} ${to} ${connection} ${payload.length} ${digest}`);
  }

  state(at: number, node: number, state: string): void {
    const line = `${at} node ${node} ${state}`;
    this.#hash.update(line);
    this.onLine?.(line);
  }

  /** Hexadecimal SHA-256 of all so far. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
