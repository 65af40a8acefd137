/**
 * Which nodes hold which file of the index. Must always hold: a holder counts while it is live; a file is there for a node when
 * a live holder is in its component.
 */
import type { Digest } from '../../core/digest.ts';
import type { ModelEvent } from '../model/model-event.ts';

export interface FileHoldersOptions {
  /** Of the index when the run begins. */
  readonly files: Iterable<Digest>;
  /** What each node's disk holds then, by its number. */
  readonly disks: Iterable<Iterable<Digest>>;
}

export class FileHolders {
  /** Files that the index has now. */
  readonly #files = new Set<Digest>();
  readonly #holders = new Map<Digest, Set<number>>();
  readonly #heldBy = new Map<number, Set<Digest>>();
  readonly #live = new Set<number>();
  /** Of files that the index has: live nodes that hold one, summed. */
  #copies = 0;

  constructor({ files, disks }: FileHoldersOptions) {
    for (const file of files) this.#files.add(file);
    for (const [node, held] of [...disks].entries()) for (const digest of held) this.#hold(node, digest);
  }

  /** Whether {@link meanHolders} or {@link availability} may be another now. */
  observe(event: ModelEvent): boolean {
    switch (event.kind) {
      case 'index-changed': {
        const { change } = event;
        if (change.kind !== 'file-added' && change.kind !== 'file-removed') return false;
        const { digest } = change.file;
        const isThere = change.kind === 'file-added';
        if (isThere === this.#files.has(digest)) return false;
        this.#copies += this.#liveHolders(digest) * (isThere ? 1 : -1);
        if (isThere) this.#files.add(digest);
        else this.#files.delete(digest);
        return true;
      }
      case 'node-up':
        this.#setLive(event.node, true);
        return true;
      case 'node-down':
        this.#setLive(event.node, false);
        return true;
      case 'node-wiped':
        for (const digest of this.#heldBy.get(event.node) ?? []) this.#let(event.node, digest);
        return true;
      case 'fact': {
        const { digest } = event.fact as { digest: Digest };
        if (event.name === 'blob:added') this.#hold(event.node, digest);
        else if (event.name === 'blob:evicted' || event.name === 'blob:corrupt')
          this.#let(event.node, digest);
        else return false;
        return true;
      }
      default:
        return false;
    }
  }

  isLive(node: number): boolean {
    return this.#live.has(node);
  }

  /** Live ones. */
  holdersOf(digest: Digest): number[] {
    return [...(this.#holders.get(digest) ?? [])].filter((node) => this.#live.has(node));
  }

  /** Live ones of a file, over the files of the index. */
  get meanHolders(): number | undefined {
    return this.#files.size === 0 ? undefined : this.#copies / this.#files.size;
  }

  /** Of all pairs of a live node and a file of the index, those with a live holder in the node's component. */
  availability(components: ReadonlyMap<number, number>): number | undefined {
    const sizes = new Map<number, number>();
    for (const component of components.values()) sizes.set(component, (sizes.get(component) ?? 0) + 1);
    const all = this.#files.size * components.size;
    if (all === 0) return undefined;
    let served = 0;
    for (const digest of this.#files) {
      let left = sizes.size;
      const seen = new Set<number>();
      for (const node of this.#holders.get(digest) ?? []) {
        const component = components.get(node);
        if (component === undefined || seen.has(component)) continue;
        seen.add(component);
        served += sizes.get(component) ?? 0;
        if (--left === 0) break;
      }
    }
    return served / all;
  }

  #liveHolders(digest: Digest): number {
    return this.holdersOf(digest).length;
  }

  #setLive(node: number, live: boolean): void {
    if (this.#live.has(node) === live) return;
    if (live) this.#live.add(node);
    else this.#live.delete(node);
    for (const digest of this.#heldBy.get(node) ?? [])
      if (this.#files.has(digest)) this.#copies += live ? 1 : -1;
  }

  #hold(node: number, digest: Digest): void {
    const held = this.#heldBy.get(node) ?? new Set<Digest>();
    this.#heldBy.set(node, held);
    if (held.has(digest)) return;
    held.add(digest);
    const holders = this.#holders.get(digest) ?? new Set<number>();
    this.#holders.set(digest, holders.add(node));
    if (this.#live.has(node) && this.#files.has(digest)) this.#copies++;
  }

  #let(node: number, digest: Digest): void {
    if (this.#heldBy.get(node)?.delete(digest) !== true) return;
    this.#holders.get(digest)?.delete(node);
    if (this.#live.has(node) && this.#files.has(digest)) this.#copies--;
  }
}
