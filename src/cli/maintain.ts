/** `fondue gc` and `fondue verify`. */
import type { Command } from 'commander';
import { ConfigurationError } from '../core/errors.ts';
import { parseSize } from '../core/units.ts';
import { administer, reportOutcome } from './administer.ts';
import { addConfigOptions, configFromOptions } from './config-options.ts';

export function addMaintenanceCommands(program: Command): void {
  const gc = program
    .command('gc')
    .description('frees space: least recently used files go, pinned ones stay')
    .option('--to <SIZE>', 'down to this size instead of the quota')
    .addHelpText('after', '\nExample:\n  fondue gc --to 5GB');
  addConfigOptions(gc, ['data-dir', 'quota']).action(async (options: Record<string, unknown>) => {
    const config = configFromOptions(options, ['to']);
    const bytes = options['to'] === undefined ? undefined : readTarget(options['to'] as string);
    const outcome = await administer(config, {
      name: 'gc',
      body: { bytes },
      network: false,
      call: (administration) => administration.collect(bytes),
    });
    reportOutcome(outcome, options['json'] === true, 'freed');
  });

  const verify = program
    .command('verify')
    .description('hashes every file again and mends bad or missing ones from peers or the upstream')
    .addHelpText('after', '\nExample:\n  fondue verify');
  addConfigOptions(verify).action(async (options: Record<string, unknown>) => {
    const outcome = await administer(configFromOptions(options), {
      name: 'verify',
      body: undefined,
      network: true,
      call: (administration, onProgress) => administration.verify({ onProgress }),
    });
    reportOutcome(outcome, options['json'] === true, 'verified');
  });
}

function readTarget(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new ConfigurationError(
      'usage',
      `--to: "${text}" is not a size`,
      'give a size, such as 5GB or 5GiB',
      {
        cause: error,
      },
    );
  }
}
