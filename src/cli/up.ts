/** `fondue up`: runs a node in the foreground until SIGINT or SIGTERM; a second signal ends it at once (130). */
import type { Command } from 'commander';
import type { Config } from '../config.ts';
import type { FactEmitter } from '../core/facts.ts';
import { createNode, type FondueNode, type NodeOverrides } from '../node.ts';
import { systemClock } from '../system-clock.ts';
import { releaseMemory } from '../system-memory.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { logFacts } from './log.ts';
import { exitCodes, printJson, printLine, printNote, styles } from './output.ts';
import { readPackageVersion } from './package-version.ts';

/** A clean end takes at most this long, in ms. */
const CLOSE_TIME = 5000;

export function addUpCommand(program: Command): void {
  const command = program
    .command('up')
    .description('runs a node in the foreground: a gateway for pip here, and its files for other nodes')
    .addHelpText('after', '\nExample:\n  fondue up --quota 50GB --upload-limit 5MB');
  addConfigOptions(command).action((options: Record<string, unknown>) =>
    runNode(configFromOptions(options), options),
  );
}

/** Until it is told to end. `more`: what a command adds to a node; `onReady`: called when the ready lines are out. */
export async function runNode(
  config: Config,
  options: Record<string, unknown>,
  more: Pick<NodeOverrides, 'publish' | 'onFacts'> = {},
  onReady: () => void = () => undefined,
): Promise<void> {
  const json = options['json'] === true;
  const log = logFacts(config.logLevel, json, process.stderr);
  const stopped = untilSignal();
  const onFacts = (facts: FactEmitter): void => {
    log.listen(facts);
    more.onFacts?.(facts);
  };
  const node = await createNode(config, { ...more, version: readPackageVersion(), onFacts });
  if (json) {
    printJson({
      event: 'ready',
      version: node.version,
      pid: process.pid,
      gateway: node.gateway,
      peerId: node.peerId,
      multiaddrs: node.multiaddrs(),
      dataDir: config.dataDir,
    });
    if (isExposed(node)) log.warn(exposure(node));
    if (!isPypi(node)) log.info(sharing(node));
  } else {
    printLine(welcome(node));
  }
  onReady();
  releaseMemory(systemClock, node.facts);
  const signal = await stopped;
  if (!json) printNote(`${signal}: closing`);
  // Whatever hangs while closing must not keep the process: the data is safe at any moment.
  const overtime = setTimeout(() => process.exit(exitCodes.done), CLOSE_TIME - 500);
  await node[Symbol.asyncDispose]();
  clearTimeout(overtime);
  process.exit(exitCodes.done);
}

/** Resolves to the first SIGINT or SIGTERM; from then on a second one ends the process. */
function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    let seen = false;
    const onSignal = (signal: string): void => {
      if (seen) process.exit(exitCodes.interrupted);
      seen = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

function welcome(node: FondueNode): string {
  const { bold, dim } = styles(process.stdout, process.env);
  const index = `${node.gateway}/simple/`;
  const peers = node.multiaddrs();
  return [
    `${bold('Fondue')} ${node.version} is up. Point a client at it:`,
    '',
    `  pip     ${bold(`pip install --index-url ${index} PACKAGE`)}`,
    `  uv      ${bold(`uv pip install --default-index ${index} PACKAGE`)}`,
    `  Poetry  ${bold(`poetry source add --priority=primary fondue ${index}`)}`,
    `  PDM     ${bold(`pdm config pypi.url ${index}`)}`,
    '',
    dim(`Dashboard  ${node.gateway}/`),
    dim(`Files in   ${node.config.dataDir}`),
    ...(peers.length === 0
      ? [dim('Peers      none: this node does not listen')]
      : peers.map((peer) => dim(`Peers      ${peer}`))),
    ...(isExposed(node) ? ['', exposure(node)] : []),
    ...(isPypi(node) ? [] : ['', sharing(node)]),
  ].join('\n');
}

function isPypi({ config }: FondueNode): boolean {
  return new URL(config.upstream).hostname === 'pypi.org';
}

/** What becomes of the files of an upstream that may be nobody else's business. */
function sharing({ config, peerId }: FondueNode): string {
  const { upstream, privateUpstream, upstreamCredentials } = config;
  if (config.share === 'none' || peerId === '') return `Files of ${upstream} are shared with nobody.`;
  if (!privateUpstream)
    return `Files of ${upstream} are shared with peers${config.share === 'lan' ? ' on this network' : ''}; --private-upstream keeps them here.`;
  const cure =
    upstreamCredentials === undefined
      ? '; --no-private-upstream shares them, if everybody may have them'
      : ': it needs a password';
  return `Files of ${upstream} are neither shared with peers nor asked of them${cure}.`;
}

/** By what it binds to: its URL says 127.0.0.1 for 0.0.0.0 too. */
function isExposed({ config }: FondueNode): boolean {
  return !/^(127\.[\d.]+|::1|localhost)$/i.test(config.gateway.host);
}

function exposure({ config, gateway }: FondueNode): string {
  const { host } = config.gateway;
  const { port } = new URL(gateway);
  return `The gateway listens on ${host} port ${port}: everyone who reaches this address can use it.`;
}
