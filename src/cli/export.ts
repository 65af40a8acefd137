/**
 * `fondue export DIR`: a static mirror tree, read through the gateway of the running node, or of one that is started for it.
 * What was exported before is brought up to date; deletions are carried out.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../config.ts';
import type { Clock } from '../core/clock.ts';
import type { ProjectName } from '../core/project-name.ts';
import { formatBytes } from '../core/units.ts';
import { type ExportOutcome, exportTree } from '../mirror/export/export-tree.ts';
import { createGatewaySource } from '../mirror/export/gateway-source.ts';
import { readNodeFile } from '../node-file.ts';
import { createNode } from '../node.ts';
import { systemClock } from '../system-clock.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { exitCodes, printJson, printLine, printNote } from './output.ts';
import { readPackageVersion } from './package-version.ts';
import { createProgressBar } from './progress-bar.ts';
import { readProjects } from './read-projects.ts';

export function addExportCommand(program: Command): void {
  const command = program
    .command('export')
    .description('writes a static mirror that nginx, S3 or a CDN serves as it is, or brings it up to date')
    .argument('<dir>', 'an empty folder, or an earlier export')
    .option('--projects <FILE>', 'these projects only: one name a line, # begins a comment (default: all)')
    .addHelpText('after', '\nExample:\n  fondue export /srv/mirror --projects projects.txt');
  addConfigOptions(command).action(async (dir: string, options: Record<string, unknown>) => {
    const config = configFromOptions(options, ['projects']);
    const { projects } = options;
    const wanted = typeof projects === 'string' ? readProjects(projects) : undefined;
    const outcome = await run(config, resolve(dir), wanted);
    report(outcome, dir, options['json'] === true);
  });
}

async function run(
  config: Config,
  dir: string,
  projects: readonly ProjectName[] | undefined,
): Promise<ExportOutcome> {
  await using stack = new AsyncDisposableStack();
  const running = await readNodeFile(config.dataDir);
  const gateway =
    running?.gateway ??
    stack.use(
      await createNode(
        { ...config, gateway: { host: '127.0.0.1', port: 0 } },
        { version: readPackageVersion() },
      ),
    ).gateway;
  const source = stack.use(createGatewaySource(gateway, { clock }));
  const bar = stack.use(createProgressBar(process.stderr));
  return await exportTree(dir, source, { projects, onProgress: (progress) => bar.show(progress) });
}

function report(outcome: ExportOutcome, dir: string, json: boolean): void {
  const { projects, files, bytes, removedProjects, removedFiles, absent, failures } = outcome;
  if (json) printJson(outcome);
  else {
    for (const name of absent) printNote(`no such project: ${name}`);
    for (const failure of failures) printNote(`not done: ${failure}`);
    const removed = `removed ${removedProjects} projects, ${removedFiles} files`;
    printLine(`${dir}: ${projects} projects; fetched ${files} files, ${formatBytes(bytes)}; ${removed}`);
  }
  process.exitCode = failures.length === 0 ? exitCodes.done : exitCodes.failed;
}

/** Its timers keep the process: a wait for the gateway must not end it. */
const clock: Clock = {
  ...systemClock,
  setTimer(callback, ms) {
    const handle = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(handle) };
  },
};
