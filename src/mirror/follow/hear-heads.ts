/** Where every head that anybody tells comes in: admitted, compared with what its log is known to be, and followed. */
import { PeerError } from '../../core/errors.ts';
import { claimsMisconduct } from '../../core/index-messages/index-answers.ts';
import { parseCheckpoint } from '../../core/log/checkpoint.ts';
import { decodeAnnouncement } from '../../core/log/announcement.ts';
import { parseNote } from '../../core/log/note.ts';
import type { Admission, AdmittedHead } from './admission.ts';
import type { IndexAsker } from './ask-index.ts';
import type { FollowedVoter } from './followed-voter.ts';
import type { MisconductDesk } from './misconduct-desk.ts';
import type { Refusals } from './refusals.ts';

export interface HeardHead {
  readonly origin: string;
  /**
   * `ignored`: of a log that does not count. `misconduct`: it proves something, which is told on its own. `cosigned`: what is known,
   * signed by another key of the same slot.
   */
  readonly kind: 'new' | 'known' | 'cosigned' | 'old' | 'misconduct' | 'ignored';
  readonly head: AdmittedHead | undefined;
}

export interface HearDeps {
  readonly admission: Admission;
  readonly refusals: Refusals;
  voterOf(slot: string): FollowedVoter | undefined;
  /** There is something to fetch, and `peer` may have it. */
  onNew(voter: FollowedVoter, peer: string): void;
}

export class HearHeads {
  readonly #deps: HearDeps;

  constructor(deps: HearDeps) {
    this.#deps = deps;
  }

  /** @throws InvalidLogError for what is no head of a log of ours */
  async hear(announcement: Uint8Array, peer: string): Promise<HeardHead> {
    const head = this.#deps.admission.admit(announcement);
    if (head === undefined) return { origin: originOf(announcement), kind: 'ignored', head };
    const { origin, size } = head.checkpoint;
    const voter = this.#deps.voterOf(head.slot);
    if (voter === undefined) return { origin, kind: 'ignored', head };
    const kind = await voter.hear(head);
    if (kind === 'old')
      this.#deps.refusals.add({
        origin,
        code: 'CHECKPOINT_REPLAYED',
        message: `a head of ${origin} with ${size} records came again, where ${voter.log.size} are known`,
        peerId: peer,
        blame: 'nobody',
      });
    if (kind === 'new') {
      this.#deps.refusals.spoke(peer);
      this.#deps.onNew(voter, peer);
    }
    return { origin, kind, head };
  }

  /** Asks one peer for all that is newer than what is known. `busy`: it answers nobody yet, or too many. */
  async exchange(
    deps: { readonly asker: IndexAsker; readonly misconduct: MisconductDesk },
    peer: string,
    voters: readonly FollowedVoter[],
    signal: AbortSignal,
  ): Promise<'met' | 'busy'> {
    const sizes = new Map(voters.map((voter) => [voter.origin, voter.log.size]));
    try {
      for await (const part of deps.asker.heads(peer, sizes, signal)) {
        try {
          if (claimsMisconduct(part)) await deps.misconduct.take(part);
          else await this.#answered(part, peer, sizes);
        } catch (error) {
          this.#deps.refusals.caught(error, undefined, peer);
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      this.#deps.refusals.caught(error, undefined, peer);
      if (error instanceof PeerError && error.failure === 'busy') return 'busy';
    }
    return 'met';
  }

  async #answered(part: Uint8Array, peer: string, told: ReadonlyMap<string, number>): Promise<void> {
    const { origin, head } = await this.hear(part, peer);
    const size = head?.checkpoint.size;
    // It was told what is known here.
    if (size !== undefined && size <= (told.get(origin) ?? 0))
      this.#deps.refusals.add({
        origin,
        code: 'CHECKPOINT_REPLAYED',
        message: `${peer} answered with a head of ${origin} that is no newer than what it was told`,
        peerId: peer,
        blame: 'sender',
      });
  }
}

function originOf(announcement: Uint8Array): string {
  return parseCheckpoint(parseNote(decodeAnnouncement(announcement).checkpoint).text).origin;
}
