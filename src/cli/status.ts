/** `fondue status`: what the running node holds, serves and knows. Exit code 1 when none runs. */
import type { Command } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import { formatBytes, formatDuration } from '../core/units.ts';
import type { NodeStatus } from '../mirror/status.ts';
import { callAdmin } from './admin-client.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { readNodeFile } from '../node-file.ts';
import { counted, printJson, printLine, styles } from './output.ts';

export function addStatusCommand(program: Command): void {
  const command = program
    .command('status')
    .description('what the running node holds, serves and knows')
    .addHelpText('after', '\nExample:\n  fondue status --json');
  addConfigOptions(command, ['data-dir']).action(async (options: Record<string, unknown>) => {
    const { dataDir } = configFromOptions(options);
    const node = await readNodeFile(dataDir);
    if (node === undefined) {
      throw new ConfigurationError('environment', `no node runs on ${dataDir}`, 'start one with "fondue up"');
    }
    const status = await callAdmin<NodeStatus>(node, 'status', undefined);
    if (options['json'] === true) printJson(status);
    else printLine(describeStatus(status));
  });
}

/** The status as a person reads it. */
function describeStatus(status: NodeStatus): string {
  const { bold } = styles(process.stdout, process.env);
  const { upstream, index, store, served, fetched, network } = status;
  const age = index.oldestPageAgeSeconds;
  const rows: [string, string][] = [
    ['gateway', `${status.gateway}/simple/`],
    ...(status.peerId === '' ? [] : [['peer', status.peerId] satisfies [string, string]]),
    // What another node takes as --bootstrap.
    ...status.multiaddrs.map((address): [string, string] => ['address', address]),
    ['up for', formatDuration(status.uptimeSeconds * 1000)],
    [
      'upstream',
      `${upstream.url} ${upstream.state}${upstream.lastError === null ? '' : ` (${upstream.lastError})`}`,
    ],
    [
      'index',
      `${counted(index.pages, 'page')}${age === null ? '' : `, the oldest read ${formatDuration(age * 1000)} ago`}`,
    ],
    [
      'store',
      `${counted(store.blobs, 'file')}, ${formatBytes(store.bytes)} of ${formatBytes(store.quotaBytes)}`,
    ],
    [
      'served',
      `${counted(served.requests, 'request')}: ${formatBytes(served.bytes.disk)} from disk, ` +
        `${formatBytes(served.bytes.peer)} from peers, ${formatBytes(served.bytes.upstream)} from the upstream`,
    ],
    [
      'fetched',
      `${counted(fetched.blobs.peer, 'file')} from peers, ${fetched.blobs.upstream} from the upstream`,
    ],
    [
      'network',
      `${network.state}: ${counted(network.connections, 'peer')}, ${formatBytes(network.uploadedBytes)} given`,
    ],
    ...network.banned.map((ban): [string, string] => [
      'banned',
      `${ban.peerId} until ${ban.until}: ${ban.reason}`,
    ]),
  ];
  return rows.map(([name, text]) => `${bold(name.padEnd(9))} ${text}`).join('\n');
}
