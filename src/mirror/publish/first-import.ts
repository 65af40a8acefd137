/**
 * The first import: every project once, popular ones first, and complete only when each was tried. Goes on where it was:
 * what is known is not asked for again.
 */
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { ProjectName } from '../../core/project-name.ts';
import type { ListNews } from './compare-list.ts';
import type { DuePages } from './due-pages.ts';
import type { KnownPages } from './known-pages.ts';
import type { PublishedScope } from './published-scope.ts';

interface Wanted {
  readonly name: ProjectName;
  readonly serial: number;
  /** Else its own page has to say whether it is there. */
  readonly listed: boolean;
}

/** So many wait for their turn; the rest is not looked for yet. */
const AHEAD = 64;

export class FirstImport {
  readonly #clock: Clock;
  readonly #known: Pick<KnownPages, 'get' | 'absentAt'>;
  readonly #due: DuePages;
  readonly #scope: PublishedScope;
  readonly #popular: () => AsyncIterable<ProjectName>;
  #names: AsyncIterator<Wanted> | undefined;
  readonly #untried = new Set<ProjectName>();
  #began = false;
  #total = 0;
  #tried = 0;

  constructor(deps: {
    readonly clock: Clock;
    readonly known: Pick<KnownPages, 'get' | 'absentAt'>;
    readonly due: DuePages;
    readonly scope: PublishedScope;
    /** Names that this node has pages of. */
    readonly popular: () => AsyncIterable<ProjectName>;
  }) {
    this.#clock = deps.clock;
    this.#known = deps.known;
    this.#due = deps.due;
    this.#scope = deps.scope;
    this.#popular = deps.popular;
  }

  /** From this list on; undefined: there is none, and a scope has to do. */
  begin(news: ListNews | undefined): void {
    if (news === undefined && this.#began) return;
    this.#began = true;
    this.#names = this.#wanted(news);
    this.#total = this.#scope.names?.length ?? news?.size ?? 0;
    if (news !== undefined) this.#tried = Math.max(this.#tried, news.known);
  }

  /** Lets some more names wait for their turn. */
  async fill(): Promise<void> {
    while (this.#names !== undefined && this.#due.count('first') < AHEAD) {
      const { done, value } = await this.#names.next();
      if (done === true) {
        this.#names = undefined;
        return;
      }
      const { name, serial, listed } = value;
      if (this.#due.has(name)) continue;
      this.#untried.add(name);
      this.#due.add(name, 'first', { announced: serial, stale: false, listed });
    }
  }

  tried(name: ProjectName): boolean {
    const wasUntried = this.#untried.delete(name);
    if (wasUntried) this.#tried++;
    return wasUntried;
  }

  get done(): boolean {
    return this.#began && this.#names === undefined && this.#untried.size === 0;
  }

  get progress(): { readonly done: number; readonly total: number } {
    return { done: Math.min(this.#tried, this.#total), total: this.#total };
  }

  async *#wanted(news: ListNews | undefined): AsyncGenerator<Wanted> {
    for await (const name of this.#inOrder()) {
      if ((await this.#known.get(name)) !== undefined) continue;
      const serial = news?.take(name);
      if (serial !== undefined || news === undefined) yield { name, serial: serial ?? 0, listed: true };
      else if (this.#scope.names !== undefined && !(await this.#wasAbsent(name)))
        yield { name, serial: 0, listed: false };
    }
    if (this.#scope.names !== undefined || news === undefined) return;
    for (const { name, serial } of news.fresh())
      if ((await this.#known.get(name)) === undefined) yield { name, serial, listed: true };
  }

  /** A moment ago, before a restart. */
  async #wasAbsent(name: ProjectName): Promise<boolean> {
    const at = await this.#known.absentAt(name);
    return at !== undefined && Math.abs(this.#clock.now() - at) < limits.publish.missingRecheck;
  }

  async *#inOrder(): AsyncGenerator<ProjectName> {
    if (this.#scope.names !== undefined) yield* this.#scope.names;
    else for await (const name of this.#popular()) if (this.#scope.has(name)) yield name;
  }
}
