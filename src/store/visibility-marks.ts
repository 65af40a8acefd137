/**
 * Which digests have a private origin, and which of those not held were lately said to be public. Private sticks: it wins
 * over any number of public origins, and is never forgotten (36 bytes each). Public ones are forgotten, oldest first.
 */
import type { Digest } from '../core/digest.ts';
import { limits } from '../core/limits.ts';
import type { Visibility } from './blob-store.ts';
import { DigestTable } from './digest-table.ts';

export class VisibilityMarks {
  readonly #private = new DigestTable();
  readonly #public = new Set<Digest>();

  add(digest: Digest, visibility: Visibility): void {
    if (visibility === 'private') {
      this.#private.insert(digest);
      this.#public.delete(digest);
    } else if (!this.#private.has(digest)) {
      this.#public.delete(digest);
      this.#public.add(digest);
      if (this.#public.size > limits.store.publicMarks) {
        for (const oldest of this.#public) {
          this.#public.delete(oldest);
          break;
        }
      }
    }
  }

  /** Of a digest that is not held. */
  get(digest: Digest): Visibility | undefined {
    if (this.#private.has(digest)) return 'private';
    return this.#public.has(digest) ? 'public' : undefined;
  }

  /** Of a blob that is held: public unless an origin was private. */
  ofHeld(digest: Digest): Visibility {
    return this.#private.has(digest) ? 'private' : 'public';
  }
}
