/** This node's time for the index: the highest that its clock ever showed, written down now and then. */
import { judgeClock, kthHighest, NodeTime, timeForAges } from '../../core/belief/node-time.ts';
import type { Clock } from '../../core/clock.ts';
import { UnavailableError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { FollowState } from './follow-state.ts';
import type { ClockReset } from './index-head.ts';

export class FollowTime {
  readonly #clock: Clock;
  readonly #state: FollowState;
  readonly #time: NodeTime;
  #written: number;
  #resets = 0;

  private constructor(clock: Clock, state: FollowState, kept: number) {
    this.#clock = clock;
    this.#state = state;
    this.#time = new NodeTime(kept);
    this.#written = kept;
  }

  static async open(clock: Clock, state: FollowState): Promise<FollowTime> {
    const kept = await state.get('time');
    return new FollowTime(clock, state, kept === undefined ? 0 : Number(Buffer.from(kept).toString()));
  }

  /** For judging records. */
  now(): number {
    return this.#time.read(this.#clock.now());
  }

  /** For ages: never before what k slots say has passed. */
  forAges(signed: ReadonlyMap<string, number>, k: number): number {
    return timeForAges(this.now(), signed, k);
  }

  judge(signed: ReadonlyMap<string, number>, k: number): 'plausible' | 'behind' | 'set-back' {
    return judgeClock(this.#clock.now(), this.#time.highest, signed, k);
  }

  get resets(): number {
    return this.#resets;
  }

  /**
   * Forgets later times that this machine's clock has shown. What was accepted meanwhile stays; an age that would be counted from a
   * time to come is none (`pageAge`). @throws UnavailableError while k slots say that the clock is behind
   */
  async reset(signed: ReadonlyMap<string, number>, k: number): Promise<ClockReset> {
    const [from, to] = [this.now(), this.#clock.now()];
    const others = kthHighest(signed.values(), k);
    if (others !== undefined && others > to + limits.belief.clockSlack)
      throw new UnavailableError(
        `${k} publishers have signed at ${new Date(others).toISOString()} and later, and this machine's clock shows ${new Date(to).toISOString()}: set it right first`,
      );
    this.#time.reset(to);
    this.#resets++;
    await this.write(true);
    return { from, to };
  }

  async write(force = false): Promise<void> {
    const now = this.now();
    if (now === this.#written || (!force && now - this.#written < limits.follow.timeKept)) return;
    await this.#state.write([['time', Buffer.from(String(now))]]);
    this.#written = now;
  }
}
