/**
 * Proofs that a publisher of the policy signed two histories. Each is kept, passed on once and shown; its slot counts no more
 * until a person pardons this very proof. They stand beside the policy's state: another policy with the same key does not
 * forget them. Must always hold: one counts as known once it is written and its slot's votes have ended; where either fails, who
 * tells it again is heard.
 */
import { hash } from 'node:crypto';
import { type Digest, digestFromBytes } from '../../core/digest.ts';
import type { FactEmitter } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import { verifyMisconduct } from '../../core/log/misconduct.ts';
import { Gate } from '../../store/gate.ts';
import type { Admission } from './admission.ts';
import type { FollowState } from './follow-state.ts';

export interface KnownMisconduct {
  readonly origin: string;
  readonly kind: string;
  readonly digest: Digest;
}

export interface MisconductDeps {
  /** Of the node, whatever its policy. */
  readonly state: FollowState;
  readonly admission: Admission;
  readonly facts: FactEmitter;
  readonly pardons: readonly string[];
  publish(message: Uint8Array): Promise<void>;
  /** The slot's votes end; what was decided stays. */
  exclude(slot: string): Promise<void>;
}

const KEY = 'misconduct/';

export class MisconductDesk {
  readonly #deps: MisconductDeps;
  readonly #one = new Gate(1);
  readonly #proofs = new Map<Digest, { readonly bytes: Uint8Array; readonly known: KnownMisconduct }>();

  constructor(deps: MisconductDeps) {
    this.#deps = deps;
  }

  /** Before anybody votes. */
  async load(): Promise<void> {
    for await (const [, bytes] of this.#deps.state.entries(KEY))
      await this.#take(bytes, async () => undefined);
  }

  /**
   * False for what is known or not about a voter of ours. `passOn`: gossip passes on by itself what it brought.
   * @throws InvalidLogError for what proves nothing: its sender could have checked that
   */
  async take(bytes: Uint8Array, passOn = true): Promise<boolean> {
    const write = (digest: Digest): Promise<void> => this.#deps.state.write([[`${KEY}${digest}`, bytes]]);
    const known = await this.#one.run(() => this.#take(bytes, write));
    if (known === undefined) return false;
    this.#deps.facts.emit('misconduct:proven', known);
    if (passOn) await this.#deps.publish(bytes);
    return true;
  }

  list(): KnownMisconduct[] {
    return [...this.#proofs.values()].map(({ known }) => known);
  }

  proof(digest: Digest): Uint8Array | undefined {
    return this.#proofs.get(digest)?.bytes;
  }

  proofs(): Uint8Array[] {
    return [...this.#proofs.values()].map(({ bytes }) => bytes);
  }

  async #take(
    bytes: Uint8Array,
    write: (digest: Digest) => Promise<void>,
  ): Promise<KnownMisconduct | undefined> {
    const digest = digestFromBytes(hash('sha256', bytes, 'buffer'));
    if (this.#proofs.has(digest)) return undefined;
    const { kind, key } = verifyMisconduct(bytes);
    const slot = this.#deps.admission.slotOf(key);
    if (slot === undefined || this.#deps.pardons.includes(digest)) return undefined;
    // One is enough; a forger of its own log could make any number.
    const ofSlot = [...this.#proofs.values()].filter(({ known }) => known.origin === key.name);
    if (ofSlot.length > 0 || this.#proofs.size >= limits.follow.misconductKept) return undefined;
    const known = { origin: key.name, kind, digest };
    await write(digest);
    await this.#deps.exclude(slot);
    this.#proofs.set(digest, { bytes, known });
    return known;
  }
}
