/**
 * What this publisher takes back: stands in each record until it is taken out again. Must always hold: never more than followers
 * heed, since they ignore all of a publisher that retracts more; on disk before it is signed.
 */
import type { Clock } from '../../core/clock.ts';
import { InvalidContentError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { reasonFault, type Retraction, type RetractionSubject } from '../../core/log/retraction.ts';
import type { PublisherState } from './publisher-state.ts';

export interface OwnRetractions {
  /** As a record has them: by subject, ascending. */
  list(): readonly Retraction[];
  /** Once more of the same changes its reason; the day that it is in force begins once. @throws InvalidContentError */
  add(subject: RetractionSubject, reason: string): Promise<void>;
  /** @throws InvalidContentError when it is not retracted */
  remove(subject: RetractionSubject): Promise<void>;
}

export async function openOwnRetractions(deps: {
  readonly state: Pick<PublisherState, 'note' | 'putNote'>;
  readonly clock: Pick<Clock, 'now'>;
}): Promise<OwnRetractions> {
  const { state, clock } = deps;
  let kept: readonly Retraction[] = (await state.note('retractions')) ?? [];

  async function keep(next: readonly Retraction[]): Promise<void> {
    const sorted = next.toSorted((a, b) => (a.subject < b.subject ? -1 : 1));
    await state.putNote('retractions', sorted, true);
    kept = sorted;
  }

  return {
    list: () => kept,
    async add(subject, reason) {
      const fault = reasonFault(reason);
      if (fault !== undefined) throw new InvalidContentError(`the reason ${fault}`);
      const known = kept.find((one) => one.subject === subject);
      const others = kept.filter((one) => one !== known);
      if (others.length >= limits.log.retractions)
        throw new InvalidContentError(
          `${others.length} subjects are retracted already, and followers ignore all of a publisher that retracts more: take one out first (fondue publish unretract SUBJECT)`,
        );
      await keep([...others, { subject, reason, since: known?.since ?? clock.now() }]);
    },
    async remove(subject) {
      const left = kept.filter((one) => one.subject !== subject);
      if (left.length === kept.length)
        throw new InvalidContentError(
          `${subject} is not retracted: fondue publish retractions lists what is`,
        );
      await keep(left);
    },
  };
}
