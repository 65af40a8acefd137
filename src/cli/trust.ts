/**
 * `fondue trust add|list|remove|threshold`: edits a policy file, which a person can also read, review and edit. Comments
 * and everything else in it stay; it is replaced whole; what is risky about it is said.
 */
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { ConfigurationError, InvalidLogError } from '../core/errors.ts';
import { addPublisher, removePublisher, setThreshold } from '../core/log/edit-policy.ts';
import { EMPTY_POLICY, formatPolicy, parsePolicy, type PolicyFile } from '../core/log/policy-file.ts';
import { policyOf, policyWarnings } from '../core/log/policy.ts';
import { readPolicyFile } from '../load-policy.ts';
import { createReplaceableFile } from '../store/replaceable-file.ts';
import { refuseBareGroup } from './bare-group.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';
import { printJson, printLine, printNote } from './output.ts';

type Options = Readonly<Record<string, unknown>>;

export function addTrustCommands(program: Command): void {
  const trust = program
    .command('trust')
    .description('which publishers of the signed index this node believes, and how many must agree')
    .addHelpText(
      'after',
      '\nExample:\n  fondue trust add example.org/fondue+1a2b3c4d+AZ...\n  fondue trust threshold 2',
    );
  refuseBareGroup(trust);

  const add = trust
    .command('add')
    .description('believes a publisher')
    .argument('<vkey>', 'its verifier key, NAME+ID+KEY')
    .option('--name <NAME>', 'what the policy calls it (default: the name in the key)')
    .option('--url <URL>', 'where people find out who it is')
    .addHelpText('after', '\nExample:\n  fondue trust add example.org/fondue+1a2b3c4d+AZ...');
  withPolicy(add).action((vkey: string, options: Options) => {
    const [name, url] = [options['name'], options['url']] as (string | undefined)[];
    return edit(options, ['name', 'url'], (file) => addPublisher(file, { verifierKey: vkey, name, url }));
  });

  const list = trust
    .command('list')
    .description('prints the policy')
    .addHelpText('after', '\nExample:\n  fondue trust list --json');
  withPolicy(list).action(async (options: Options) => {
    const { policy } = configFromOptions(options);
    const file = await readPolicyFile(policy);
    report(file ?? parsePolicy(EMPTY_POLICY, policy), options, true);
  });

  const remove = trust
    .command('remove')
    .description('believes a publisher no more')
    .argument('<name>', 'what the policy calls it, or its verifier key')
    .addHelpText('after', '\nExample:\n  fondue trust remove example.org/fondue');
  withPolicy(remove).action((name: string, options: Options) =>
    edit(options, [], (file) => removePublisher(file, name)),
  );

  const threshold = trust
    .command('threshold')
    .description("says how many publishers must agree on a project's page")
    .argument('<k>', 'a number')
    .addHelpText('after', '\nExample:\n  fondue trust threshold 2');
  withPolicy(threshold).action((k: string, options: Options) => {
    const count = /^\d{1,6}$/.test(k) ? Number(k) : refuseNumber(k);
    return edit(options, [], (file) => setThreshold(file, count));
  });
}

function withPolicy(command: Command): Command {
  return addConfigOptions(command, ['policy', 'data-dir']);
}

async function edit(
  options: Options,
  own: readonly string[],
  change: (file: PolicyFile) => PolicyFile,
): Promise<void> {
  const { policy: path } = configFromOptions(options, own);
  const before = (await readPolicyFile(path)) ?? parsePolicy(EMPTY_POLICY, path);
  const after = changed(before, change);
  await write(path, formatPolicy(after));
  report(after, options, false);
}

function changed(before: PolicyFile, change: (file: PolicyFile) => PolicyFile): PolicyFile {
  try {
    return change(before);
  } catch (cause) {
    if (!(cause instanceof InvalidLogError)) throw cause;
    throw new ConfigurationError('usage', cause.message, 'ask the publisher for the key, or copy it again', {
      cause,
    });
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // A policy kept in git may be a link into the checkout: the file is replaced, not the link.
    const target = await realpath(path).catch(() => path);
    // No secret: a node that runs as another user must be able to read it.
    const { mode } = await stat(target).catch(() => ({ mode: 0o644 }));
    await createReplaceableFile(target).replace(
      (async function* () {
        yield bytes;
      })(),
    );
    await chmod(target, mode & 0o777);
  } catch (cause) {
    throw new ConfigurationError(
      'environment',
      `the policy ${path} cannot be written: ${(cause as Error).message}`,
      'name another file with --policy',
      { cause },
    );
  }
}

function report(file: PolicyFile, options: Options, list: boolean): void {
  const { k, publishers } = policyOf(file);
  const warnings = policyWarnings(k, publishers.length);
  if (options['json'] === true) {
    const shown = publishers.map(({ name, key, url }) => ({ name, verifierKey: key.text, url: url ?? null }));
    return printJson({ policy: file.source, threshold: k, publishers: shown, warnings });
  }
  if (list || publishers.length > 0) printLine(`${k} of ${publishers.length} must agree (${file.source})`);
  for (const { name, key } of publishers)
    printLine(name === key.name ? `  ${key.text}` : `  ${name}  ${key.text}`);
  for (const warning of warnings) printNote(`warning: ${warning}`);
}

function refuseNumber(text: string): never {
  throw new ConfigurationError(
    'usage',
    `"${text}" is not a number of publishers`,
    'give a number, such as: fondue trust threshold 2',
  );
}
