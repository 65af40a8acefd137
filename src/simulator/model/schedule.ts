/** Events of the world's that come again: by a period, or Poisson. */
import type { Randomness } from '../../core/clock.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { draw } from '../scenario/samplers.ts';
import type { Recurrence } from '../scenario/scenario.ts';

/** What is needed to plan: also for real time (scripts/sim-validate). */
export type Timetable = Pick<Kernel, 'schedule' | 'world'>;

/** From now on, for ever. */
export function recur(
  kernel: Timetable,
  recurrence: Recurrence,
  randomness: Randomness,
  happen: () => void,
): void {
  const gap =
    recurrence.kind === 'every'
      ? () => recurrence.every
      : () => draw({ kind: 'exponential', mean: 1e6 / recurrence.rate }, randomness);
  const next = (): void => {
    kernel.schedule(gap(), 'start', kernel.world, () => {
      happen();
      next();
    });
  };
  next();
}
