/** `fondue publish`: a node that reads the upstream itself and signs what it saw. */
import type { Command } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import type { FactEmitter } from '../core/facts.ts';
import { limits } from '../core/limits.ts';
import { parseDuration } from '../core/units.ts';
import type { PublishSettings } from '../open-publisher.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { printJson } from './output.ts';
import { createProgressBar } from './progress-bar.ts';
import { addPublisherCommands } from './publisher-commands.ts';
import { readProjects } from './read-projects.ts';
import { runNode } from './up.ts';

const OWN = ['key', 'next-key', 'projects', 'interval', 'file-origin'] as const;

export function addPublishCommand(program: Command): void {
  const command = program
    .command('publish')
    .description('runs a node that reads the upstream and signs what it saw, for others to follow')
    .option('--key <FILE>', 'the secret key that signs (fondue key new); required')
    .option('--next-key <FILE>', 'the key that takes over: both sign for a week (fondue key rotate)')
    .option('--projects <FILE>', 'publish these projects only: one name a line, # begins a comment')
    .option('--interval <TIME>', 'how often the upstream is looked at (default 60s)')
    .option(
      '--file-origin <URL>',
      'scheme and host of the files, where publishers could take different ones for the usual',
    )
    .addHelpText(
      'after',
      '\nExample:\n  fondue publish --key publisher.key --upstream https://pypi.org/simple/',
    );
  // What stands after `retract` is its own.
  command.enablePositionalOptions();
  addPublisherCommands(command);
  addConfigOptions(command).action(async (options: Record<string, unknown>) => {
    const config = configFromOptions(options, OWN);
    const publish = settingsFrom(options);
    using telling = tellProgress(options['json'] === true);
    await runNode(config, options, { publish, onFacts: telling.listen }, telling.begin);
  });
}

function settingsFrom(options: Readonly<Record<string, unknown>>): PublishSettings {
  const { key, nextKey, projects, interval, fileOrigin } = options;
  if (typeof key !== 'string')
    throw usage(
      'publish needs the key that signs: --key FILE is missing',
      'make one with: fondue key new --name NAME --out FILE',
    );
  return {
    keyFile: key,
    nextKeyFile: typeof nextKey === 'string' ? nextKey : undefined,
    projects: typeof projects === 'string' ? readProjects(projects) : undefined,
    interval: typeof interval === 'string' ? readInterval(interval) : limits.publish.interval,
    fileOrigin: typeof fileOrigin === 'string' ? readOrigin(fileOrigin) : undefined,
  };
}

function readInterval(text: string): number {
  const most = limits.publish.retryMax;
  let interval: number;
  try {
    interval = parseDuration(text);
  } catch (cause) {
    throw usage(`--interval: "${text}" is not a time`, 'give a time, such as 60s or 5m', cause);
  }
  if (interval < 1000 || interval > most)
    throw usage(`--interval: ${text} is not between 1s and 1h`, 'give a time, such as 60s or 5m');
  return interval;
}

function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.origin;
  throw usage(
    `--file-origin: "${text}" is not an http or https URL`,
    'such as https://files.pythonhosted.org',
  );
}

function usage(message: string, fix: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError('usage', message, fix, { cause });
}

/** The first import as a bar on a terminal, as plain lines elsewhere, as events with `--json`. */
function tellProgress(
  json: boolean,
): Disposable & { listen(facts: FactEmitter): void; readonly begin: () => void } {
  const bar = createProgressBar(process.stderr);
  // The first line is the ready event, whatever the publisher has done by then.
  let held: object[] | undefined = [];
  const tell = (event: object): void => {
    if (held === undefined) printJson(event);
    else held.push(event);
  };
  return {
    listen(facts) {
      facts.on('publisher:progressed', ({ done, total, project }) => {
        if (json) tell({ event: 'progress', done, total, project });
        else bar.show({ done, total, unit: 'projects', text: project, ok: true });
        if (!json && done === total) bar[Symbol.dispose]();
      });
      facts.on('publisher:signed', (signed) => {
        if (json) tell({ event: 'signed', ...signed });
      });
      facts.on('publisher:stopped', (stopped) => {
        if (json) tell({ event: 'stopped', ...stopped });
      });
    },
    begin() {
      for (const event of held ?? []) printJson(event);
      held = undefined;
    },
    [Symbol.dispose]: () => bar[Symbol.dispose](),
  };
}
