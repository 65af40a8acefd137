/**
 * Which key votes in which slot of the policy. A publisher's successors share its slot, so that rotating adds no vote;
 * a key is in one slot only, so that naming somebody else's key as successor does not let that one vote twice.
 */
import { limits } from '../limits.ts';

export interface Rotation {
  readonly key: string;
  readonly successor: string;
  /** min(the naming record's `signedAt`, its arrival here). */
  readonly at: number;
}

/**
 * `misconduct`: the key named another one before; the slot counts no more. `taken`: the key is in a slot already. `too-many`: the
 * slot has had so many keys that a person should look.
 */
export type Succession = 'named' | 'known' | 'taken' | 'too-many' | 'misconduct' | 'stranger';

export class KeySlots {
  readonly #slotOf = new Map<string, string>();
  readonly #rotations = new Map<string, Rotation>();

  /** @param keys of the policy: each is the first of its own slot, which is called after it. */
  constructor(keys: Iterable<string>) {
    for (const key of keys) this.#slotOf.set(key, key);
  }

  slotOf(key: string): string | undefined {
    return this.#slotOf.get(key);
  }

  /** A record of `key` names a successor. Also how what was kept is restored, in the old order. */
  name(rotation: Rotation): Succession {
    const { key, successor } = rotation;
    const slot = this.#slotOf.get(key);
    if (slot === undefined) return 'stranger';
    const before = this.#rotations.get(key);
    if (before !== undefined) return before.successor === successor ? 'known' : 'misconduct';
    // The successor signs the very records that name it, and a policy may have it in place of the first key.
    if (successor === key) return 'known';
    if (this.#slotOf.has(successor)) return 'taken';
    const keys = [...this.#slotOf.values()].filter((other) => other === slot);
    if (keys.length > limits.belief.successors) return 'too-many';
    this.#slotOf.set(successor, slot);
    this.#rotations.set(key, rotation);
    return 'named';
  }

  /** Whether a record of the key is a vote: a key that named its successor signs beside it for a week. */
  mayVote(key: string, record: { readonly signedAt: number; readonly observedAt: number }): boolean {
    if (!this.#slotOf.has(key)) return false;
    const rotation = this.#rotations.get(key);
    if (rotation === undefined) return true;
    return Math.max(record.signedAt, record.observedAt) <= rotation.at + limits.belief.rotation;
  }

  /** The newest key of the slot, where it is not the first. */
  successorIn(slot: string): string | undefined {
    return this.kept().findLast(({ key }) => this.#slotOf.get(key) === slot)?.successor;
  }

  kept(): Rotation[] {
    return [...this.#rotations.values()];
  }
}
