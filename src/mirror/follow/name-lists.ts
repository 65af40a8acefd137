/** Scopes and `stale` sets: lists of names by their digest, from what is kept or from peers, who are told the digest only. */
import type { Clock } from '../../core/clock.ts';
import type { Digest } from '../../core/digest.ts';
import { IntegrityError } from '../../core/errors.ts';
import type { Scope } from '../../core/belief/voter-view.ts';
import { decodeNames, digestOfNames } from '../../core/index-map/name-list.ts';
import { limits } from '../../core/limits.ts';
import { askForObject } from './answer-turns.ts';
import type { IndexAsker } from './ask-index.ts';
import type { FollowState } from './follow-state.ts';
import type { Refusals } from './refusals.ts';

export interface NameListDeps {
  readonly clock: Clock;
  readonly state: FollowState;
  readonly asker: IndexAsker;
  readonly refusals: Refusals;
  /** A public blob that is here already: an own publisher's list. */
  readonly blob: ((digest: Digest) => Promise<Uint8Array | undefined>) | undefined;
}

const EVERYTHING: Scope = { id: 'all', covers: () => true };

export class NameLists {
  readonly #deps: NameListDeps;
  readonly #held = new Set<readonly (string | null)[]>();
  readonly #sets = new Map<Digest, ReadonlySet<string>>();

  constructor(deps: NameListDeps) {
    this.#deps = deps;
  }

  /** What is here, for peers. */
  async bytes(digest: Digest): Promise<Uint8Array | undefined> {
    return (await this.#deps.state.get(keyOf(digest))) ?? (await this.#deps.blob?.(digest));
  }

  /** Undefined: nobody has it now. */
  async names(
    digest: Digest | null,
    origin: string,
    peers: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlySet<string> | undefined> {
    if (digest === null) return new Set();
    const known = this.#sets.get(digest) ?? this.#read(digest, await this.bytes(digest));
    if (known !== undefined) return known;
    const { asker, clock, refusals, state } = this.#deps;
    const answers = askForObject({ asker, clock, refusals, origin }, peers, digest, signal);
    for await (const { peer, bytes } of answers) {
      try {
        const actual = digestOfNames(bytes);
        if (actual !== digest) throw new IntegrityError({ expected: digest, actual, source: `peer:${peer}` });
        const names = this.#read(digest, bytes);
        await state.write([[keyOf(digest), bytes]]);
        return names;
      } catch (error) {
        signal.throwIfAborted();
        refusals.caught(error, origin, peer);
      }
    }
    return undefined;
  }

  async scope(
    id: 'all' | Digest,
    origin: string,
    peers: readonly string[],
    signal: AbortSignal,
  ): Promise<Scope | undefined> {
    if (id === 'all') return EVERYTHING;
    const names = await this.names(id, origin, peers, signal);
    return names && { id, covers: (name) => names.has(name), names };
  }

  /** For a record that is being taken: until disposed of, {@link keepOnly} leaves its lists alone. */
  hold(digests: readonly (string | null)[]): Disposable {
    this.#held.add(digests);
    return { [Symbol.dispose]: () => void this.#held.delete(digests) };
  }

  /** Drops from memory and disk what no view uses. */
  async keepOnly(used: ReadonlySet<string>): Promise<void> {
    const held = new Set([...this.#held].flat());
    const gone: [string, undefined][] = [];
    for (const digest of this.#sets.keys())
      if (!used.has(digest) && !held.has(digest)) {
        this.#sets.delete(digest);
        gone.push([keyOf(digest), undefined]);
      }
    if (gone.length > 0) await this.#deps.state.write(gone);
  }

  #read(digest: Digest, bytes: Uint8Array | undefined): ReadonlySet<string> | undefined {
    if (bytes === undefined || bytes.length > limits.follow.namesBytes) return undefined;
    const names = new Set<string>(decodeNames(bytes));
    this.#sets.set(digest, names);
    return names;
  }
}

function keyOf(digest: Digest): string {
  return `names/${digest}`;
}
