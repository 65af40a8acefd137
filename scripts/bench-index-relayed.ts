/**
 * The rows of a node that has nothing but one follower: three real publishers whose maps have all of the real names, two
 * must agree; a follower takes the three maps, then the publishers are gone; a node with an empty folder and the follower's
 * address has to learn all of it there. Afterwards: what the two say to each other while nothing happens.
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { callAdmin } from '../src/cli/admin-client.ts';
import type { BeliefReport } from '../src/mirror/administration.ts';
import { type NodeProcess, startNode } from '../test/support/node-process.ts';
import { startPublisher } from '../test/support/publisher-process.ts';
import {
  adminOf,
  atMost,
  command,
  everything,
  memory,
  namesOf,
  seed,
  startRelay,
  until,
  UPSTREAM,
} from './bench-index-join.ts';
import { ALL } from './bench-index-map.ts';
import { type Row, rowOf } from './bench-row.ts';

const MB = 1_000_000;
const PUBLISHERS = ['a.example', 'b.example', 'c.example'];
/** Four rounds of anti-entropy. */
const IDLE = 120_000;

export async function benchIndexRelayed(options: {
  quick: boolean;
  folder: string;
  onRow: (row: Row) => void;
}): Promise<void> {
  const { quick, folder } = options;
  const count = quick ? 50_000 : ALL;
  const row = (what: string, unit: string, ours: readonly number[], most?: number): void =>
    options.onRow(
      rowOf({ what, unit, ours, ...(most === undefined || quick ? {} : { goal: atMost(most) }) }),
    );
  await using stack = new AsyncDisposableStack();
  const policy = join(folder, 'policy');
  const keyOf = (name: string): string => join(folder, `${name}.key`);
  for (const name of PUBLISHERS) {
    const verifierKey = await command('key', 'new', '--name', name, '--out', keyOf(name));
    await command('trust', 'add', verifierKey, '--policy', policy);
  }
  await command('trust', 'threshold', '2', '--policy', policy);
  const follow = async (name: string, addresses: readonly string[]): Promise<NodeProcess> =>
    stack.use(
      await startNode({
        upstream: UPSTREAM,
        dataDir: join(folder, name),
        // prettier-ignore
        args: ['--mode', 'offline', '--no-mdns', '--policy', policy, ...addresses.flatMap((one) => ['--bootstrap', one])],
      }),
    );

  let total = 0;
  let follower: NodeProcess;
  {
    await using publishers = new AsyncDisposableStack();
    const addresses: string[] = [];
    for (const name of PUBLISHERS) {
      const dataDir = join(folder, name);
      total = (await seed(dataDir, keyOf(name), count)).names;
      // prettier-ignore
      const publisher = publishers.use(
        startPublisher({ upstream: UPSTREAM, dataDir, key: keyOf(name), args: ['--no-mdns', '--interval', '1h'] }),
      );
      const { multiaddrs = [] } = await publisher.event('ready', ({ event }) => event === 'ready', 60_000);
      addresses.push(...multiaddrs.slice(0, 1));
    }
    follower = await follow('follower', addresses);
    const admin = await adminOf(follower);
    const began = performance.now();
    await until('the three maps', () => everything(admin, total), 300_000);
    row('follower of three publishers: to all names', 's', [(performance.now() - began) / 1000], 60);
  }

  const relay = stack.use(await startRelay(follower.ready.multiaddrs[0] ?? ''));
  const [project] = await namesOf(count);
  const joined = await follow('joined', [relay.address]);
  const admin = await adminOf(joined);
  const began = performance.now();
  const since = (): number => (performance.now() - began) / 1000;
  await until('a believed page', async () => {
    const shown = await callAdmin<BeliefReport>(admin, 'index-show', { project });
    return shown.belief === 'page' ? shown : undefined;
  });
  row('join 2 of 3 through one follower: to a proved answer', 's', [since()], 5);
  await until('the three maps, relayed', () => everything(admin, total), 300_000);
  row('join 2 of 3 through one follower: to all names', 's', [since()], 60);
  row('join 2 of 3 through one follower: bytes moved', 'MB', [relay.bytes / MB]);
  row('join 2 of 3 through one follower: peak resident', 'MB', [memory(joined, 'VmHWM')]);

  await setTimeout(quick ? 2000 : 10_000);
  relay.bytes = 0;
  const idle = quick ? IDLE / 4 : IDLE;
  await setTimeout(idle);
  row('two followers, nothing new: bytes a minute', 'KB', [(relay.bytes / idle) * 60]);
}
