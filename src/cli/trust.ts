/**
 * `fondue trust add|list|remove|replace|threshold|override|pardon`: edits a policy file, which a person can also read, review and edit. Comments
 * and everything else in it stay; it is replaced whole; what is risky about it is said.
 */
import type { Command } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import {
  addPublisher,
  parsePolicyToEdit,
  removePublisher,
  replaceKey,
  setThreshold,
} from '../core/log/edit-policy.ts';
import { EMPTY_POLICY, parsePolicy } from '../core/log/policy-file.ts';
import { readPolicyFile } from '../load-policy.ts';
import { refuseBareGroup } from './bare-group.ts';
import { configFromOptions } from './config-options.ts';
import {
  editPolicy as edit,
  type PolicyOptions as Options,
  reportPolicy,
  withPolicy,
} from './policy-edit.ts';
import { addTrustExceptions } from './trust-exceptions.ts';

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
    const file = await readPolicyFile(policy, parsePolicyToEdit);
    reportPolicy(file ?? parsePolicy(EMPTY_POLICY, policy), options, true);
  });

  const remove = trust
    .command('remove')
    .description('believes a publisher no more')
    .argument('<name>', 'what the policy calls it, or its verifier key')
    .addHelpText('after', '\nExample:\n  fondue trust remove example.org/fondue');
  withPolicy(remove).action((name: string, options: Options) =>
    edit(options, [], (file) => removePublisher(file, name)),
  );

  const replace = trust
    .command('replace')
    .description('believes a publisher under the key that it changed to')
    .argument('<name>', 'what the policy calls it')
    .argument('<vkey>', 'its new verifier key, of the same log')
    .addHelpText(
      'after',
      '\nExample:\n  fondue trust replace example.org/fondue example.org/fondue+5e6f7a8b+AQ...',
    );
  withPolicy(replace).action((name: string, vkey: string, options: Options) =>
    edit(options, [], (file) => replaceKey(file, name, vkey)),
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

  addTrustExceptions(trust);
}

function refuseNumber(text: string): never {
  throw new ConfigurationError(
    'usage',
    `"${text}" is not a number of publishers`,
    'give a number, such as: fondue trust threshold 2',
  );
}
