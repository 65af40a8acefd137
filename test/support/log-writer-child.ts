/** Appends records to the log in a folder until it is killed; says each head's size and root when its append resolved. */
import { openDiskPublisherLog } from '../../src/store/publisher-log/open-publisher-log.ts';
import { alice, draftOf } from '../store/publisher-log/contract.ts';

const [folder = '', label = ''] = process.argv.slice(2);
await using log = await openDiskPublisherLog({ folder, signers: [alice] });
process.stdout.write(`open ${log.size} ${log.head?.checkpoint.root ?? '-'}\n`);
for (;;) {
  // What one process would sign another would not: a second head of one size would show.
  const head = await log.append(draftOf(log.size, { apiVersion: `1.${label}` }));
  process.stdout.write(`signed ${head.checkpoint.size} ${head.checkpoint.root}\n`);
}
