/**
 * What voters' maps said of names just before they changed, with the proof: a node that lacks the history cannot believe a
 * project that changes all the time otherwise. In memory and bounded; given only while the name is not settled.
 */
import type { Bundle } from '../../core/index-messages/index-answers.ts';
import { binNumber } from '../../core/index-map/index-entry.ts';
import { encodeProof, type MapProof } from '../../core/index-map/map-proof.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';

interface PastBundle extends Bundle {
  readonly slot: string;
  readonly name: string;
  readonly bin: number;
}

function addWeight(sum: number, { announcement, proof }: Bundle): number {
  return sum + announcement.length + proof.length;
}

/** Names of one change that are looked at: a busy project comes with few others. */
const NAMES_A_CHANGE = 64;

export class PastBundles {
  readonly #isPending: (name: string) => boolean;
  /** Oldest first. */
  #bundles: PastBundle[] = [];

  constructor(isPending: (name: string) => boolean) {
    this.#isPending = isPending;
  }

  /** @param announcement of the record whose map `proveBin` is still of; undefined where none was heard. */
  async capture(
    slot: string,
    names: AsyncIterable<readonly string[]>,
    announcement: Uint8Array | undefined,
    proveBin: (bin: number) => Promise<MapProof>,
  ): Promise<void> {
    if (announcement === undefined) return;
    for (const name of await firstOf(names, NAMES_A_CHANGE)) {
      const bin = binNumber(name as ProjectName);
      const proof = encodeProof(await proveBin(bin));
      this.#bundles.push({ slot, name, bin, announcement, proof });
    }
    if (this.#isFull()) this.#bundles = this.#bundles.filter((bundle) => this.#isPending(bundle.name));
    while (this.#isFull()) this.#forgetOne();
  }

  /** Newest first; at most as many a name and voter as votes are remembered. */
  of(bin: number): Bundle[] {
    const counts = new Map<string, number>();
    return this.#bundles
      .filter((bundle) => bundle.bin === bin && this.#isPending(bundle.name))
      .toReversed()
      .filter(({ slot, name }) => {
        const key = `${slot} ${name}`;
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        return count <= limits.belief.votes.perName;
      });
  }

  #isFull(): boolean {
    const { bundlesKept, bundlesKeptBytes } = limits.follow;
    return this.#bundles.length > bundlesKept || this.#bundles.reduce(addWeight, 0) > bundlesKeptBytes;
  }

  /** The oldest of the voter with the most: none pushes out what another one signed. */
  #forgetOne(): void {
    const weights = new Map<string, number>();
    for (const bundle of this.#bundles)
      weights.set(bundle.slot, addWeight(weights.get(bundle.slot) ?? 0, bundle));
    const most = Math.max(...weights.values());
    this.#bundles.splice(
      this.#bundles.findIndex(({ slot }) => weights.get(slot) === most),
      1,
    );
  }
}

async function firstOf(batches: AsyncIterable<readonly string[]>, most: number): Promise<string[]> {
  const first: string[] = [];
  for await (const names of batches) {
    first.push(...names.slice(0, most - first.length));
    if (first.length >= most) break;
  }
  return first;
}
