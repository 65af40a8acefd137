/** When a flight may ask the upstream (again): at once after progress, with growing pauses after failures, or never more. */
import type { Clock, Randomness } from '../core/clock.ts';
import { IntegrityError, UpstreamError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

export interface UpstreamTurns {
  state(): 'ready' | 'waiting' | 'never';
  /** Monotonic ms. */
  readonly notBefore: number;
  readonly failing: boolean;
  readonly isAbsent: boolean;
  /** Why it is not believed any more. */
  readonly wrong: IntegrityError | undefined;
  /** The file's validator, once seen. */
  readonly etags: { known?: string };
  /** It answered 404 or 410. */
  absent(): void;
  /** A request ended, having brought `fresh` bytes. */
  over(fresh: number, failure: unknown): void;
  /** All bytes were its, and did not fit. */
  wrongWhole(error: IntegrityError): void;
}

export interface UpstreamTurnsDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  usable(): boolean;
  note(what: string): void;
}

export function createUpstreamTurns(deps: UpstreamTurnsDeps): UpstreamTurns {
  const { clock, randomness } = deps;
  const { progress, retryFirst, retryMax, wrongUpstream } = limits.fetch;
  const etags: { known?: string } = {};
  let failures = 0;
  let notBefore = 0;
  let isAbsent = false;
  let wrongs = 0;
  let wrong: IntegrityError | undefined;

  function failed(retryAfter: number | undefined): void {
    failures++;
    const pause = Math.min(retryMax, retryFirst * 2 ** (failures - 1)) * (0.75 + randomness.float() / 2);
    notBefore = clock.monotonic() + (retryAfter ?? pause);
  }
  function countWrong(error: IntegrityError): void {
    wrong = error;
    wrongs++;
    delete etags.known;
    failed(undefined);
  }

  return {
    state() {
      if (!deps.usable() || isAbsent || wrongs >= wrongUpstream) return 'never';
      return clock.monotonic() < notBefore ? 'waiting' : 'ready';
    },
    get notBefore() {
      return notBefore;
    },
    get failing() {
      return failures > 0;
    },
    get isAbsent() {
      return isAbsent;
    },
    get wrong() {
      return wrongs >= wrongUpstream ? wrong : undefined;
    },
    etags,
    absent() {
      isAbsent = true;
      deps.note('upstream: 404');
    },
    over(fresh, failure) {
      if (failure === undefined) return;
      deps.note(failure instanceof Error ? failure.message : 'the upstream failed');
      if (failure instanceof IntegrityError) countWrong(failure);
      else if (fresh >= progress) failures = 0;
      else failed(failure instanceof UpstreamError ? failure.retryAfter : undefined);
    },
    wrongWhole: countWrong,
  };
}
