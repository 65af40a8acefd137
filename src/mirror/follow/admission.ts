/**
 * Whose heads are listened to: the keys of the policy, and the successors that they named. Every head, from wherever it comes,
 * passes here first. Must always hold: what is admitted has exactly one signature, by a key that votes in a slot that counts.
 */
import { KeySlots, type Rotation, type Succession } from '../../core/belief/key-slots.ts';
import { InvalidLogError } from '../../core/errors.ts';
import { type VerifiedAnnouncement, verifyAnnouncement } from '../../core/log/announcement.ts';
import { parseNote } from '../../core/log/note.ts';
import type { Policy } from '../../core/log/policy.ts';
import { type IndexRecord, isKnownRecord } from '../../core/log/record.ts';
import { parseVerifierKey, type VerifierKey } from '../../core/log/verifier-key.ts';

export interface AdmittedHead extends VerifiedAnnouncement {
  readonly slot: string;
}

export class Admission {
  readonly #slots: KeySlots;
  readonly #keys: VerifierKey[];
  readonly #excluded = new Set<string>();
  /** The newest `signedAt` that each slot has shown, also of records that wait. */
  readonly signed = new Map<string, number>();
  readonly #sources = new Map<string, Pick<IndexRecord, 'format' | 'upstream'>>();

  constructor(policy: Policy, rotations: readonly Rotation[]) {
    this.#keys = policy.publishers.map(({ key }) => key);
    this.#slots = new KeySlots(this.#keys.map(({ text }) => text));
    for (const rotation of rotations) this.rotate(rotation);
  }

  /**
   * Undefined where it does not count: a key that nobody here trusts, a slot that misbehaved, a key whose successor has taken
   * over. @throws InvalidLogError
   */
  admit(bytes: Uint8Array): AdmittedHead | undefined {
    const head = this.#verify(bytes);
    if (head === undefined) return undefined;
    const slot = this.#slots.slotOf(head.key.text);
    if (slot === undefined || this.#excluded.has(slot)) return undefined;
    const { record } = head;
    if (isKnownRecord(record)) {
      if (!this.#slots.mayVote(head.key.text, record)) return undefined;
      this.saw(slot, record);
    }
    return { ...head, slot };
  }

  /** A record of the slot that was verified: when it was signed has passed. */
  saw(slot: string, record: Pick<IndexRecord, 'signedAt' | 'format' | 'upstream'> | undefined): void {
    if (record === undefined) return;
    const { signedAt, format, upstream } = record;
    const before = this.signed.get(slot) ?? 0;
    if (signedAt >= before) this.#sources.set(slot, { format, upstream });
    this.signed.set(slot, Math.max(signedAt, before));
  }

  /** What the newest record of each slot that counts is made from. */
  sources(): Iterable<Pick<IndexRecord, 'format' | 'upstream'>> {
    return this.#sources.values();
  }

  #verify(bytes: Uint8Array): VerifiedAnnouncement | undefined {
    try {
      return verifyAnnouncement(bytes, this.#keys);
    } catch (error) {
      if (error instanceof InvalidLogError && error.code === 'NOTE_UNKNOWN_KEY') return undefined;
      throw error;
    }
  }

  slotOf(key: VerifierKey): string | undefined {
    return this.#slots.slotOf(key.text);
  }

  /** All keys that may sign for the slot, the newest last. */
  keysOf(slot: string): VerifierKey[] {
    return this.#keys.filter(({ text }) => this.#slots.slotOf(text) === slot);
  }

  /** Who signed the head, of the slot's keys. */
  signerOf(slot: string, checkpoint: Uint8Array): VerifierKey | undefined {
    const [signature] = parseNote(checkpoint).signatures;
    return this.keysOf(slot).find(({ id }) => id === signature?.id);
  }

  /** That was named to take over the slot. */
  successorIn(slot: string): string | undefined {
    return this.#slots.successorIn(slot);
  }

  rotate(rotation: Rotation): Succession {
    const outcome = this.#slots.name(rotation);
    if (outcome === 'named') this.#keys.push(parseVerifierKey(rotation.successor));
    return outcome;
  }

  rotations(): Rotation[] {
    return this.#slots.kept();
  }

  exclude(slot: string): void {
    this.#excluded.add(slot);
    this.signed.delete(slot);
    this.#sources.delete(slot);
  }

  isExcluded(slot: string): boolean {
    return this.#excluded.has(slot);
  }
}
