/** Machines that come and go by themselves, from somewhere in the middle of it. A machine goes dark without a word. */
import type { Randomness } from '../../core/clock.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { drawChurnStart } from '../scenario/churn-start.ts';
import { draw } from '../scenario/samplers.ts';
import type { Churn } from '../scenario/scenario.ts';
import type { NodeLives } from './node-lives.ts';

const REASON = 'churn';

/** Call it at time 0, before the nodes start. `stream`: a node's own. */
export function beginChurn(
  churn: Churn,
  nodes: readonly number[],
  {
    kernel,
    lives,
    stream,
  }: {
    readonly kernel: Kernel;
    readonly lives: NodeLives;
    readonly stream: (node: number) => Randomness;
  },
): void {
  for (const node of nodes) {
    const randomness = stream(node);
    const turn = (up: boolean, left: number): void => {
      kernel.schedule(left, up ? 'crash' : 'start', kernel.world, () => {
        if (up) lives.crash(node, REASON);
        else lives.release(node, REASON, churn.rejoin);
        turn(!up, Math.round(draw(up ? churn.downtime : churn.session, randomness)));
      });
    };
    const start = drawChurnStart(churn, randomness);
    if (!start.up) lives.beginDown(node, REASON);
    turn(start.up, start.left);
  }
}
