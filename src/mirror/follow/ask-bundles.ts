/**
 * Votes for a name without the voters' maps: peers are asked for what they hold of its bin, by number, and each voter's
 * signature, log and map proof are checked as if its record had come. Must always hold: what is voted was signed by a voter of
 * the policy for this very name.
 */
import { type Clock, deadline } from '../../core/clock.ts';
import type { Candidate } from '../../core/belief/candidate.ts';
import { judgeRecord } from '../../core/belief/record-order.ts';
import type { Bundle } from '../../core/index-messages/index-answers.ts';
import { binNumber } from '../../core/index-map/index-entry.ts';
import { decodeProof, verifyProof } from '../../core/index-map/map-proof.ts';
import { limits } from '../../core/limits.ts';
import type { VerifiedAnnouncement } from '../../core/log/announcement.ts';
import { type IndexRecord, isKnownRecord } from '../../core/log/record.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { IndexAsker } from './ask-index.ts';
import type { AgreedFormat } from './agreed-format.ts';
import type { BeliefBook } from './belief-book.ts';
import { viewAnswer } from './loaded-view.ts';
import type { NameLists } from './name-lists.ts';
import type { Refusals } from './refusals.ts';

export interface AskBundlesDeps {
  readonly asker: IndexAsker;
  readonly book: BeliefBook;
  readonly clock: Clock;
  readonly lists: NameLists;
  readonly refusals: Refusals;
  readonly upstream: string;
  readonly format: Pick<AgreedFormat, 'decided'>;
  peers(): readonly string[];
  now(): number;
  /** A head by a voter of the policy that may vote, told also to its log; undefined for others. Throws InvalidLogError. */
  admit(
    announcement: Uint8Array,
    peer: string,
  ): Promise<(VerifiedAnnouncement & { readonly slot: string }) | undefined>;
}

/** Peers that are asked for one name at a time. */
const ASKED_AT_ONCE = 3;

export class AskBundles {
  readonly #deps: AskBundlesDeps;
  readonly #sources = new Map<string, Pick<IndexRecord, 'fileOrigin' | 'apiVersion'>>();
  readonly #running = new Map<string, Promise<boolean>>();
  /** By bin and peer, until when it is not asked again, monotonic: one that comes meanwhile is asked at once. */
  readonly #resting = new Map<number, Map<string, number>>();

  constructor(deps: AskBundlesDeps) {
    this.#deps = deps;
  }

  /** As the slot's records said that came with bundles. */
  source(slot: string): Pick<IndexRecord, 'fileOrigin' | 'apiVersion'> | undefined {
    return this.#sources.get(slot);
  }

  /** True when a vote was cast. One question a name at a time. */
  ask(name: ProjectName, signal: AbortSignal): Promise<boolean> {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const asked = this.#ask(name, signal).finally(() => this.#running.delete(name));
    this.#running.set(name, asked);
    return asked;
  }

  async #ask(name: ProjectName, signal: AbortSignal): Promise<boolean> {
    const { book, clock } = this.#deps;
    const bin = binNumber(name);
    const resting = this.#resting.get(bin) ?? new Map<string, number>();
    const peers = this.#deps.peers().filter((peer) => (resting.get(peer) ?? -1) <= clock.monotonic());
    if (peers.length === 0) return false;
    using patience = deadline(clock, limits.follow.bundleTime, signal);
    const enough = new AbortController();
    const stop = AbortSignal.any([patience.signal, enough.signal]);
    let voted = false;
    const askSome = async (): Promise<void> => {
      for (let peer = peers.shift(); peer !== undefined && !stop.aborted; peer = peers.shift()) {
        voted = (await this.#askOne(name, bin, peer, stop)) || voted;
        resting.set(peer, clock.monotonic() + limits.follow.bundleRecheck);
        if (voted && (await book.believed(name)) !== undefined) enough.abort();
      }
    };
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, askSome));
    if (enough.signal.aborted) return true;
    this.#resting.set(bin, resting);
    if (this.#resting.size > limits.follow.bundlesKept) this.#resting.clear();
    return voted;
  }

  async #askOne(name: ProjectName, bin: number, peer: string, stop: AbortSignal): Promise<boolean> {
    const { asker, refusals } = this.#deps;
    let voted = false;
    try {
      for await (const bundle of asker.bundles(peer, bin, stop)) {
        try {
          voted = (await this.#vote(name, bundle, peer, stop)) || voted;
        } catch (error) {
          stop.throwIfAborted();
          // Only this one: a peer relays what it has of all voters.
          refusals.caught(error, undefined, peer);
        }
      }
    } catch (error) {
      if (!stop.aborted) refusals.caught(error, undefined, peer);
    }
    return voted;
  }

  async #vote(name: ProjectName, bundle: Bundle, peer: string, signal: AbortSignal): Promise<boolean> {
    const { book, lists, now, upstream } = this.#deps;
    const head = await this.#deps.admit(bundle.announcement, peer);
    if (head === undefined || !isKnownRecord(head.record)) return false;
    const { record, slot } = head;
    const format = await this.#deps.format.decided();
    if (format === undefined) return false;
    const verdict = judgeRecord(undefined, record, {
      upstream,
      format,
      leafIndex: head.checkpoint.size - 1,
      receivedAt: now(),
      now: now(),
    });
    if (verdict.verdict !== 'vote') return false;
    const answer = viewAnswer(verifyProof(record.mapRoot, name, decodeProof(bundle.proof)));
    if (answer === 'unknown' || (answer === 'absent' && !record.complete)) return false;
    const scope = await lists.scope(record.scope, head.checkpoint.origin, [peer], signal);
    const stale = await lists.names(record.stale, head.checkpoint.origin, [peer], signal);
    if (scope?.covers(name) !== true || stale === undefined || stale.has(name)) return false;
    const candidate: Candidate = answer;
    const { fileOrigin, apiVersion } = record;
    this.#sources.set(slot, { fileOrigin, apiVersion });
    await book.vote(slot, name, { candidate, at: verdict.observedAt });
    return true;
  }
}
