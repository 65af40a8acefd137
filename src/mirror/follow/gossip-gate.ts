/**
 * Judges what is gossiped before it is passed on. Passed on are heads of the policy's logs that are longer than all before, at least
 * 5 s apart a log (during a rotation: a key, since a policy may name either), and proofs of misconduct that are new. Rejected, which costs its sender, is only what the sender
 * could have checked itself.
 */
import type { Clock } from '../../core/clock.ts';
import { InvalidLogError } from '../../core/errors.ts';
import { claimsMisconduct } from '../../core/index-messages/index-answers.ts';
import { limits } from '../../core/limits.ts';
import type { IndexValidator } from '../../network/index-channel.ts';
import type { HeardHead } from './hear-heads.ts';
import type { MisconductDesk } from './misconduct-desk.ts';
import type { Refusals } from './refusals.ts';

export function createGossipGate(deps: {
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly misconduct: Pick<MisconductDesk, 'take'>;
  hear(announcement: Uint8Array, peer: string): Promise<HeardHead>;
}): IndexValidator {
  const { clock, refusals, misconduct } = deps;
  /** By key, when one was passed on last. */
  const passedOn = new Map<string, number>();
  return async (peer, message) => {
    try {
      if (claimsMisconduct(message)) return (await misconduct.take(message, false)) ? 'accept' : 'ignore';
      const { kind, head } = await deps.hear(message, peer);
      if (head === undefined || (kind !== 'new' && kind !== 'cosigned')) return 'ignore';
      const key = head.key.text;
      const [now, last] = [clock.monotonic(), passedOn.get(key) ?? -Infinity];
      if (now - last < limits.follow.gossipGap) return 'ignore';
      passedOn.set(key, now);
      return 'accept';
    } catch (error) {
      if (!refusals.caught(error, undefined, peer)) return 'ignore';
      return error instanceof InvalidLogError && error.blame === 'sender' ? 'reject' : 'ignore';
    }
  };
}
