/** Heads in the DHT: put where they are missing or old, for who knows no peer that follows, got where no peer here has told a head of a log. */
import { FondueError } from '../../core/errors.ts';
import { decodeAnnouncement, encodeAnnouncement } from '../../core/log/announcement.ts';
import { parseCheckpoint } from '../../core/log/checkpoint.ts';
import { encodeHeadValue, headValueKey, verifyHeadValue } from '../../core/log/head-value.ts';
import { parseNote } from '../../core/log/note.ts';
import type { VerifierKey } from '../../core/log/verifier-key.ts';
import type { IndexChannel } from '../../network/index-channel.ts';
import type { FollowedVoter } from './followed-voter.ts';

export interface HeadValueDeps {
  readonly channel: Pick<IndexChannel, 'putValue' | 'getValue'>;
  keysOf(slot: string): readonly VerifierKey[];
  hear(announcement: Uint8Array, peer: string): Promise<unknown>;
}

/**
 * The publisher puts its heads itself: a follower puts one only where what the DHT has is older, or gone with its publisher. So a
 * thousand followers of one publisher ask, and one of them writes. A head that is newer than ours is heard.
 */
export async function putHeads(
  deps: HeadValueDeps,
  voters: readonly FollowedVoter[],
  signal: AbortSignal,
): Promise<void> {
  for (const { slot, log } of voters)
    for (const announcement of log.announcements().map(decodeAnnouncement)) {
      const [signature] = parseNote(announcement.checkpoint).signatures;
      const key = deps.keysOf(slot).find(({ id }) => id === signature?.id);
      if (key === undefined) continue;
      try {
        const { size } = parseCheckpoint(parseNote(announcement.checkpoint).text);
        if (await isThere(deps, key, size, signal)) continue;
        await deps.channel.putValue(headValueKey(key), encodeHeadValue(key, announcement), { signal });
      } catch (error) {
        signal.throwIfAborted();
        // Too large for the DHT, or nobody there: gossip and contacts carry it.
        if (!(error instanceof FondueError)) throw error;
      }
    }
}

/** A head of this size or a greater one is found. */
async function isThere(
  { channel, hear }: HeadValueDeps,
  key: VerifierKey,
  size: number,
  signal: AbortSignal,
): Promise<boolean> {
  const valueKey = headValueKey(key);
  try {
    for await (const value of channel.getValue(valueKey, { signal })) {
      const { announcement, checkpoint } = verifyHeadValue(valueKey, value);
      if (checkpoint.size < size) continue;
      if (checkpoint.size > size) await hear(encodeAnnouncement(announcement), 'dht');
      return true;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FondueError)) throw error;
  }
  return false;
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
        if (!(error instanceof FondueError)) throw error;
      }
}
