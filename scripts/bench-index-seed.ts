/**
 * Makes the folder of a publisher who has seen all of the real names: the signed map, a log, and what says that its first
 * import is done, so that a `fondue publish` goes on from there although its upstream is down. In a process of its own:
 *
 *   node scripts/bench-index-seed.ts DATA-FOLDER KEY-FILE UPSTREAM NAMES RECORDS
 *
 * Digests, serials and lengths are made from the names. Says as JSON how many names there are and how many bytes its newest
 * announcement has.
 */
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { type Digest, digestFromBytes } from '../src/core/digest.ts';
import { createFactEmitter } from '../src/core/facts.ts';
import { encodeAnnouncement } from '../src/core/log/announcement.ts';
import { createPublisherState } from '../src/mirror/publish/publisher-state.ts';
import { openDataFolder } from '../src/store/data-folder.ts';
import { openDiskIndexMaps } from '../src/store/index-map/disk-index-maps.ts';
import { openLevel } from '../src/store/open-level.ts';
import { readKeyFile } from '../src/store/publisher-log/key-file.ts';
import { openDiskPublisherLog } from '../src/store/publisher-log/open-publisher-log.ts';
import { systemClock as clock } from '../src/system-clock.ts';
import { indexEntries } from './bench-index-map.ts';

export interface Seeded {
  readonly names: number;
  readonly announcementBytes: number;
}

async function seed(dataDir: string, keyFile: string, upstream: string, count: number, records: number) {
  const facts = createFactEmitter();
  await using _opened = await openDataFolder(dataDir);
  const folder = join(dataDir, 'publisher');
  await using log = await openDiskPublisherLog({ folder, signers: [await readKeyFile(keyFile)] });
  await using maps = await openDiskIndexMaps({ path: join(folder, 'map'), facts });
  await using db = await openLevel(join(folder, 'state'), { clock, facts });
  await createPublisherState(db).putNote('completeFor', 'all', true);
  await maps.build('published', indexEntries(count));
  const map = maps.view('published');
  const leaves: Digest = digestFromBytes(hash('sha256', map.leaves(), 'buffer'));
  while (log.size < records) {
    const now = clock.now();
    await log.append({
      upstream,
      fileOrigin: 'https://files.pythonhosted.org',
      format: 'json',
      scope: 'all',
      complete: true,
      seq: log.size,
      signedAt: now,
      observedAt: now,
      serial: 39_000_001,
      apiVersion: '1.4',
      count: map.count,
      mapRoot: map.root(),
      leaves,
      // As large as any; nobody asks for it who has no map yet.
      delta: leaves,
      stale: null,
      retractions: [],
    });
  }
  const [announcement] = log.head?.announcements ?? [];
  if (announcement === undefined) throw new Error('nothing was signed');
  const seeded: Seeded = {
    names: map.count,
    announcementBytes: encodeAnnouncement(announcement).length,
  };
  process.stdout.write(JSON.stringify(seeded));
}

if (process.argv[1] === import.meta.filename) {
  const [dataDir = '', keyFile = '', upstream = '', names = '', records = ''] = process.argv.slice(2);
  await seed(dataDir, keyFile, upstream, Number(names), Number(records));
}
