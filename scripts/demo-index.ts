/**
 * The second act of the demo: three publishers sign what they read, and a node believes what two of them say. One is lied to
 * and outvoted, the upstream goes away, and one comes back from a backup and signs a second history.
 */
import { join } from 'node:path';
import { eventually } from '../test/support/eventually.ts';
import { startFakePypi } from '../test/support/fake-pypi/fake-pypi.ts';
import type { FakeFile } from '../test/support/fake-pypi/wheel.ts';
import { startLyingProxy } from '../test/support/lying-proxy.ts';
import { fondue, type NodeProcess, startNode } from '../test/support/node-process.ts';
import { type GroupMember, startPublisherGroup } from '../test/support/publisher-group.ts';
import { claim, type Installer, say } from './demo-story.ts';

interface Status {
  readonly voters: readonly { readonly name: string; readonly size: number }[];
  readonly misconduct: readonly { readonly origin: string; readonly kind: string }[];
}

/** False when anything was not as it should. `wheels`: what is installed, its project first. */
export async function playIndexAct(
  folder: string,
  wheels: readonly FakeFile[],
  installer: Installer,
): Promise<boolean> {
  await using pypi = await startFakePypi({ files: wheels });
  const [prize] = wheels;
  if (prize === undefined) throw new Error('there is nothing to install');
  const lie = 'ab'.repeat(32);
  await using proxy = await startLyingProxy({
    [prize.project](page) {
      page.meta['_last-serial'] = (page.meta['_last-serial'] ?? 0) + 1000;
      for (const file of page.files) file.hashes.sha256 = lie;
    },
  });
  say('second act: three publishers, each with its own key, read that fake PyPI and sign what they see');
  await using group = await startPublisherGroup({
    folder,
    upstream: pypi.url,
    names: ['one', 'two', 'three'],
    threshold: 2,
    projects: wheels.map(({ project }) => project),
    interval: 2,
    env: { three: { HTTP_PROXY: proxy.url } },
  });
  say('  they have signed; a policy that asks for two of three is written (fondue trust)');
  const holds: boolean[] = [];
  const [one, three] = [group.member('one'), group.member('three')];
  holds.push(
    claim(
      (await hashes(`${three.gateway}/simple/`, prize)).includes(lie),
      `"three" is lied to: it signs ${prize.project} with another hash, under a higher serial`,
    ),
  );
  say(`somebody installs through "one" with ${installer.name}, so that the files are held by a peer`);
  holds.push(await installer.install(`${one.gateway}/simple/`, 'through-one'));

  await pypi.down();
  say('the upstream goes down, all of it: no pages, no files');
  await using node = await startNode({
    upstream: pypi.url,
    args: ['--no-mdns', '--mode', 'offline', '--policy', group.policy, ...group.bootstrap()],
  });
  say(`node D, empty, offline, follows the three publishers; ${installer.name} installs through it`);
  await servedBy(node, prize);
  holds.push(await installer.install(node.index, 'through-d'));
  const { fetched } = await node.status();
  holds.push(claim(fetched.bytes.upstream === 0, 'D asked no upstream: all pages and files came from peers'));
  const served = await hashes(node.index, prize);
  holds.push(
    claim(
      served.length === 1 && served[0] === prize.sha256,
      `"three" is outvoted: D serves ${prize.project} with the hash that "one" and "two" signed`,
    ),
  );

  await pypi.up();
  say('the upstream is back; "three" loses its disk and is restored from a backup, with the same key');
  await forkLog(three, join(folder, 'backup'), node);
  const status = await exposed(node);
  const [proof] = status?.misconduct ?? [];
  holds.push(
    claim(
      proof?.origin === 'three.example' && status?.misconduct.length === 1,
      'it signed a second history: D holds the proof. fondue index status says:',
    ),
  );
  const { stdout } = await fondue(['index', 'status', '--data-dir', node.ready.dataDir]);
  for (const line of stdout.trimEnd().split('\n')) say(`    ${line}`);
  holds.push(claim(/misconduct +three\.example/.test(stdout), '"three" counts no more'));
  say(`two are left and agree; ${installer.name} installs through D again`);
  holds.push(await installer.install(node.index, 'through-d-again'));
  return holds.every(Boolean);
}

/** The newest records go with the old disk; the backup signs others in their place, before it hears of anybody. */
async function forkLog(publisher: GroupMember, backup: string, node: NodeProcess): Promise<void> {
  const [follower = ''] = node.ready.multiaddrs;
  await publisher.stop();
  await publisher.backUp(backup);
  await publisher.start([follower]);
  await publisher.process.event('a record after the backup', ({ event }) => event === 'signed');
  const { size } = publisher;
  await eventually('that record at D', async () => (await knownSize(node, publisher.name)) >= size);
  say(`  its log had ${size} records, and D knows them all; the backup is older`);
  await publisher.stop('SIGKILL');
  await publisher.restore(backup);
  await publisher.start([]);
  await publisher.signed((await knownSize(node, publisher.name)) + 1);
  say('  on its new machine, alone, it signs others in their place; now it meets D');
  await publisher.stop();
  await publisher.start([follower]);
}

async function indexStatus({ ready }: NodeProcess): Promise<Status> {
  const { stdout } = await fondue(['index', 'status', '--json', '--data-dir', ready.dataDir]);
  return JSON.parse(stdout) as Status;
}

async function knownSize(node: NodeProcess, name: string): Promise<number> {
  const { voters } = await indexStatus(node);
  return voters.find((voter) => voter.name === `${name}.example`)?.size ?? 0;
}

async function servedBy(node: NodeProcess, file: FakeFile): Promise<void> {
  await eventually(`the page of ${file.project}`, async () => (await hashes(node.index, file)).length > 0);
}

async function hashes(index: string, { project }: FakeFile): Promise<(string | undefined)[]> {
  const page = await fetch(`${index}${project}/`, {
    headers: { accept: 'application/vnd.pypi.simple.v1+json' },
  });
  if (!page.ok) return [];
  const { files } = (await page.json()) as { files: { hashes: { sha256?: string } }[] };
  return files.map((file) => file.hashes.sha256);
}

async function exposed(node: NodeProcess): Promise<Status | undefined> {
  try {
    return await eventually('a proof of misconduct', async () => {
      const status = await indexStatus(node);
      return status.misconduct.length > 0 && status;
    });
  } catch (error) {
    say(`  ${(error as Error).message}`);
    return undefined;
  }
}
