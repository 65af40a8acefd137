/**
 * A process that changes index maps until it is killed: `node index-map-child.ts FOLDER`. Says each root on standard output, first
 * as `try MAP ROOT`, and when the commit is durable as `done MAP ROOT`.
 */
import { writeSync } from 'node:fs';
import { entryFor } from '../core/index-map/some-entries.ts';
import { openMapsIn } from '../store/index-map/open-maps.ts';

// So few that new bases are written all the time.
const { maps } = await openMapsIn(process.argv[2]!, { due: { touched: 100, bytes: 1e9 } });
const start = maps.view('a').count;
for (let round = start; ; round++) {
  const map = maps.view(round % 3 === 0 ? 'b' : 'a');
  const set = Array.from({ length: 20 }, (_, at) => entryFor(`r${round}-${at}`, round));
  const change = await map.change({ set, del: [] });
  writeSync(1, `try ${map.name} ${change.root}\n`);
  await change.commit();
  writeSync(1, `done ${map.name} ${change.root}\n`);
}
