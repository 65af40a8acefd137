/**
 * A round of all pages, where nothing says which of them changed. When it ends everything that was answered in it was so at
 * the moment of its oldest answer.
 */
import type { ProjectName } from '../../core/project-name.ts';
import type { KnownPages } from './known-pages.ts';

export class PageRound {
  readonly #names: AsyncIterator<ProjectName>;
  readonly #open = new Set<ProjectName>();
  #oldest: number;
  #ended = false;

  /** `began`: wall clock, ms. */
  constructor(names: AsyncIterable<ProjectName>, began: number) {
    this.#names = names[Symbol.asyncIterator]();
    this.#oldest = began;
  }

  /** The next names to look at, at most `most`; none when all were given out. */
  async next(most: number): Promise<ProjectName[]> {
    const given: ProjectName[] = [];
    while (given.length < most && !this.#ended) {
      const { done, value } = await this.#names.next();
      if (done === true) this.#ended = true;
      else {
        given.push(value);
        this.#open.add(value);
      }
    }
    return given;
  }

  /** Undefined when it could not be read: it is stale then, and holds up nobody. */
  answered(project: ProjectName, observedAt: number | undefined): void {
    if (this.#open.delete(project) && observedAt !== undefined)
      this.#oldest = Math.min(this.#oldest, observedAt);
  }

  /** When all of it was so; undefined while it goes on. */
  end(): number | undefined {
    return this.#ended && this.#open.size === 0 ? this.#oldest : undefined;
  }
}

export async function* namesOf(known: Pick<KnownPages, 'entries'>): AsyncGenerator<ProjectName> {
  for await (const { name } of known.entries()) yield name;
}

export async function* inTurn(names: readonly ProjectName[]): AsyncGenerator<ProjectName> {
  yield* names;
}
