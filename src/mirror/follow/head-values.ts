/** Heads in the DHT: put now and then for who knows no peer that follows, got where no peer here has told a head of a log. */
import type { Clock } from '../../core/clock.ts';
import { FondueError, InvalidLogError } from '../../core/errors.ts';
import { encodeAnnouncement } from '../../core/log/announcement.ts';
import { encodeHeadValue, headValueKey, verifyHeadValue } from '../../core/log/head-value.ts';
import { parseNote } from '../../core/log/note.ts';
import type { VerifierKey } from '../../core/log/verifier-key.ts';
import type { IndexChannel } from '../../network/index-channel.ts';
import type { FollowedVoter } from './followed-voter.ts';

export interface HeadValueDeps {
  readonly channel: Pick<IndexChannel, 'putValue' | 'getValue'>;
  readonly clock: Clock;
  keysOf(slot: string): readonly VerifierKey[];
  hear(announcement: Uint8Array, peer: string): Promise<unknown>;
}

export async function putHeads(
  { channel, keysOf }: HeadValueDeps,
  voters: readonly FollowedVoter[],
  signal: AbortSignal,
): Promise<void> {
  for (const { slot, log } of voters) {
    if (log.head === undefined) continue;
    const { announcement } = log.head;
    const [signature] = parseNote(announcement.checkpoint).signatures;
    const key = keysOf(slot).find(({ id }) => id === signature?.id);
    if (key === undefined) continue;
    try {
      await channel.putValue(headValueKey(key), encodeHeadValue(key, announcement), { signal });
    } catch (error) {
      signal.throwIfAborted();
      // Too large for the DHT, or nobody there: gossip and contacts carry it.
      if (!(error instanceof FondueError)) throw error;
    }
  }
}

export async function getHeads(
  { channel, keysOf, hear }: HeadValueDeps,
  voters: readonly FollowedVoter[],
  signal: AbortSignal,
): Promise<void> {
  for (const { slot } of voters)
    for (const key of keysOf(slot))
      try {
        for await (const value of channel.getValue(headValueKey(key), { signal })) {
          const { announcement } = verifyHeadValue(headValueKey(key), value);
          await hear(encodeAnnouncement(announcement), 'dht');
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof FondueError) && !(error instanceof InvalidLogError)) throw error;
      }
}
