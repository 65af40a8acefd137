/** This node's time for the index: the highest that its clock ever showed, written down now and then. */
import { judgeClock, NodeTime, timeForAges } from '../../core/belief/node-time.ts';
import type { Clock } from '../../core/clock.ts';
import { limits } from '../../core/limits.ts';
import type { FollowState } from './follow-state.ts';

export class FollowTime {
  readonly #clock: Clock;
  readonly #state: FollowState;
  readonly #time: NodeTime;
  #written: number;

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

  async write(force = false): Promise<void> {
    const now = this.now();
    if (now === this.#written || (!force && now - this.#written < limits.follow.timeKept)) return;
    await this.#state.write([['time', Buffer.from(String(now))]]);
    this.#written = now;
  }
}
