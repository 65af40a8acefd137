/**
 * The votes of the past that can still matter, and the entries that went back in serial, by voter and name. Must always
 * hold: at most `perName` votes a name and voter, and `perVoter` a voter (and no more mutes than that), the oldest going first: a voter that changes
 * everything all the time pushes out its own votes only.
 */
import { sameCandidate, type Vote } from './candidate.ts';

export interface VoteLimits {
  readonly perName: number;
  readonly perVoter: number;
}

interface Shelf {
  readonly votes: Map<string, readonly Vote[]>;
  readonly muted: Set<string>;
  count: number;
  /**
   * Goes on where it was: the first key of a map that lost many is far to find (886,000 names: 33 s, else 14 s). Never kept
   * for long: it holds all that the map held since it was made (886,000 names: 138 MB).
   */
  oldest: MapIterator<string> | undefined;
  /** Changes since `oldest` was made. */
  changes: number;
}

/** For so many changes the oldest is sought from one place. */
const CHANGES_A_SEARCH = 1024;

export class VoteMemory {
  readonly #limits: VoteLimits;
  readonly #shelves = new Map<string, Shelf>();

  constructor(limits: VoteLimits) {
    this.#limits = limits;
  }

  of(voter: string, name: string): readonly Vote[] {
    return this.#shelves.get(voter)?.votes.get(name) ?? [];
  }

  /** Names for which the voter's votes had to be forgotten. */
  remember(voter: string, name: string, vote: Vote): string[] {
    const shelf = this.#shelf(voter);
    const before = shelf.votes.get(name) ?? [];
    const known = before.find((other) => sameCandidate(other.candidate, vote.candidate));
    if (known !== undefined && known.at >= vote.at) return [];
    const after = [...before.filter((other) => other !== known), vote].sort((a, b) => b.at - a.at);
    this.#put(shelf, name, after.slice(0, this.#limits.perName));
    const forgotten: string[] = [];
    while (shelf.count > this.#limits.perVoter) {
      shelf.oldest ??= shelf.votes.keys();
      const { value: oldest, done } = shelf.oldest.next();
      if (done === true) {
        shelf.oldest = undefined;
        continue;
      }
      this.#put(shelf, oldest, []);
      // What it went back from is forgotten too.
      shelf.muted.delete(oldest);
      forgotten.push(oldest);
    }
    return forgotten;
  }

  /** Forgets the name's votes that are older than `at`. */
  prune(voter: string, name: string, at: number): void {
    const shelf = this.#shelves.get(voter);
    const votes = shelf?.votes.get(name);
    if (shelf === undefined || votes === undefined || votes.every((vote) => vote.at >= at)) return;
    this.#put(
      shelf,
      name,
      votes.filter((vote) => vote.at >= at),
    );
  }

  isMuted(voter: string, name: string): boolean {
    return this.#shelves.get(voter)?.muted.has(name) ?? false;
  }

  setMuted(voter: string, name: string, muted: boolean): void {
    if (muted) this.#shelf(voter).muted.add(name);
    else this.#shelves.get(voter)?.muted.delete(name);
  }

  muted(voter: string): readonly string[] {
    return [...(this.#shelves.get(voter)?.muted ?? [])];
  }

  holdsAny(voter: string, name: string): boolean {
    const shelf = this.#shelves.get(voter);
    return shelf !== undefined && (shelf.votes.has(name) || shelf.muted.has(name));
  }

  /** How many votes are remembered of the voter. */
  count(voter: string): number {
    return this.#shelves.get(voter)?.count ?? 0;
  }

  forgetVoter(voter: string): void {
    this.#shelves.delete(voter);
  }

  #shelf(voter: string): Shelf {
    let shelf = this.#shelves.get(voter);
    if (shelf === undefined) {
      shelf = { votes: new Map(), muted: new Set(), count: 0, oldest: undefined, changes: 0 };
      this.#shelves.set(voter, shelf);
    }
    return shelf;
  }

  /** What was touched last stands last in the map, so the first is the one to forget. */
  #put(shelf: Shelf, name: string, votes: readonly Vote[]): void {
    shelf.count += votes.length - (shelf.votes.get(name)?.length ?? 0);
    shelf.votes.delete(name);
    if (votes.length > 0) shelf.votes.set(name, votes);
    if (shelf.changes++ < CHANGES_A_SEARCH) return;
    [shelf.oldest, shelf.changes] = [undefined, 0];
  }
}
