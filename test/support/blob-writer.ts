/**
 * A process that writes blobs until it is killed: `node blob-writer.ts FOLDER`. Says on standard output what was
 * acknowledged, one line each: `held DIGEST`, `private DIGEST`, `pinned DIGEST`.
 */
import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { Digest } from '../../src/core/digest.ts';
import { openDataFolder } from '../../src/store/data-folder.ts';
import { openStoreIn } from './disk-store.ts';

const say = (line: string): void => void writeSync(1, `${line}\n`);

async function writeForever(
  store: Awaited<ReturnType<typeof openStoreIn>>['store'],
  worker: number,
): Promise<void> {
  for (let round = 0; ; round++) {
    // Small ones (no two the same by chance), and some that take many appends and lines in the partial's log.
    const bytes = randomBytes(round % 4 === worker ? 1_500_000 : 32 + ((round * 7919) % 60_000));
    const digest = createHash('sha256').update(bytes).digest('hex') as Digest;
    const secret = (round + worker) % 3 === 0;
    {
      await using partial = await store.openPartial(digest, { size: bytes.length });
      for (let at = 0; at < bytes.length; at += 65_536) {
        await partial.append(bytes.subarray(at, at + 65_536), `peer:${worker}`);
      }
      await partial.commit({ visibility: secret && round % 2 === 0 ? 'private' : 'public' });
      say(`held ${digest}`);
    }
    if (secret) {
      await store.markVisibility(digest, 'private');
      say(`private ${digest}`);
    } else if (round % 5 === 0) {
      await store.pin(digest);
      say(`pinned ${digest}`);
    }
  }
}

const path = process.argv[2]!;
await openDataFolder(path);
const { store } = await openStoreIn(path);
await Promise.all([0, 1, 2, 3].map((worker) => writeForever(store, worker)));
