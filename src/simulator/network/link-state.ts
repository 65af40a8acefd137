/** Whether packets pass from one host to another; the faults of a scenario stand behind it. */
import type { LinkMode } from '../scenario/links.ts';

export interface LinkState {
  /** Of the directed link between two hosts at a time in microseconds. */
  mode(from: number, to: number, now: number): LinkMode;
}
